/* imig_encoding.h - a Python file's encoding (PEP 263) and its UTF-8. */
#ifndef IMIG_ENCODING_H
#define IMIG_ENCODING_H

#include "imig_base.h"

typedef struct imig_encoding {
    size_t start; /* of the text, after a byte order mark */
    bool latin1;  /* else UTF-8 */
} imig_encoding;

/* Read byte order mark and cookie.  False when the encoding is neither UTF-8 nor
 * Latin-1, or is in doubt. */
bool imig_encoding_detect(imig_encoding *out, const char *bytes, size_t len);

/* Bytes of the UTF-8 sequence at bytes[0 .. len), 0 when it is none (overlong forms,
 * surrogates and what is beyond U+10FFFF included).  *out is the code point. */
size_t imig_utf8_next(uint32_t *out, const char *bytes, size_t len);

/* Write a code point that is no surrogate; 1 to 4 bytes. */
size_t imig_utf8_put(char out[4], uint32_t code);

#endif /* IMIG_ENCODING_H */
