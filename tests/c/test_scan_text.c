/* test_scan_text.c - strings, docstrings, encodings and line ends. */
#include "imig_encoding.h"
#include "imig_literal.h"
#include "scan_render.h"

#define BAD_ESCAPE "NOT_STATIC 1: a string has an escape that Python refuses"
#define NO_NAME "NOT_STATIC 1: a string has a \\N{...} that the scanner does not know"
#define NO_ENCODING "NOT_STATIC 1: the encoding is neither UTF-8 nor Latin-1"

static void
test_literals(imig_test *t, imig_header *h)
{
    SCANS(t, h, "revision = \"a'b\"", "revision=a'b");
    SCANS(t, h, "revision = '''a'b''c'''", "revision=a'b''c");
    SCANS(t, h, "revision = '''a\nb'''", "revision=a\nb");
    SCANS(t, h, "revision = u'a' U\"b\" r'c' R'''d'''", "revision=abcd");
    SCANS(t, h, "revision = 'a''b'\"c\"", "revision=abc");
    SCANS(t, h, "revision = ''''a'''", "revision='a");
    SCANS(t, h, "revision = '\\\\ \\' \\\" \\t'", "revision=\\ ' \" \t");
    SCANS(t, h, "revision = '\\a\\b\\f\\v\\r\\n'", "revision=\a\b\f\v\r\n");
    SCANS(t, h, "revision = '\\101\\60\\18\\777'",
          "revision=A0\x01"
          "8\xC7\xBF");
    SCANS(t, h, "revision = '\\x41\\u00e9\\U0001F642'",
          "revision=A\xC3\xA9\xF0\x9F\x99\x82");
    SCANS(t, h, "revision = '\\N{LATIN SMALL LETTER A}\\N{en dash}'",
          "revision=a\xE2\x80\x93");
    SCANS(t, h, "revision = 'a\\\nb'", "revision=ab");
    SCANS(t, h, "revision = '\\d\\8\\ '", "revision=\\d\\8\\ ");
    SCANS(t, h, "revision = r'\\x41\\'\\N{x}'", "revision=\\x41\\'\\N{x}");
    SCANS(t, h, "revision = r'''a\\\nb'''", "revision=a\\\nb");
    SCANS(t, h, "revision = '\xC3\xA9'", "revision=\xC3\xA9");
    SCANS(t, h, "revision = '\\\xC3\xA9'", "revision=\\\xC3\xA9");
}

static void
test_refused_text(imig_test *t, imig_header *h)
{
    SCANS(t, h, "revision = '\\x4'", BAD_ESCAPE);
    SCANS(t, h, "revision = '\\xg0'", BAD_ESCAPE);
    SCANS(t, h, "revision = '\\u123'", BAD_ESCAPE);
    SCANS(t, h, "revision = '\\U00110000'", BAD_ESCAPE);
    SCANS(t, h, "revision = '\\UFFFFFFFF'", BAD_ESCAPE);
    SCANS(t, h, "revision = '\\ud800'", "NOT_STATIC 1: a string has a surrogate");
    SCANS(t, h, "revision = '\\N{NO SUCH}'", NO_NAME);
    SCANS(t, h, "revision = '\\N{}'", NO_NAME);
    SCANS(t, h, "revision = '\\N'", NO_NAME);
    SCANS(t, h, "revision = '\\N{SPACE'", NO_NAME);
    static const char *const bad[] = {
        "\x80",         "\xC3",
        "\xC3(",        "\xC0\xAF",
        "\xE0\x80\x80", "\xED\xA0\x80",
        "\xE2\x82",     "\xF0\x80\x80\x80",
        "\xF5",         "\xF4\x90\x80\x80",
        "\xF0\x9F\x99",
    };
    char source[32];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(source, sizeof source, "revision = '%s'", bad[i]);
        SCANS(t, h, source, "NOT_STATIC 1: a string is not valid UTF-8");
    }
}

static void
test_line_ends(imig_test *t, imig_header *h)
{
    SCANS(t, h, "revision = 'a'\r\ndown_revision = 'b'\r\n",
          "revision=a down_revision=b");
    SCANS(t, h, "revision = 'a'\rdown_revision = 'b'\r", "revision=a down_revision=b");
    SCANS(t, h, "'''a\r\nb\rc\n\r'''", "doc=a\nb\nc\n\n");
    SCANS(t, h, "revision = '\\\r\na\\\rb'", "revision=ab");
    SCANS(t, h, "revision = r'''\\\r\n'''", "revision=\\\n");
    SCANS(t, h, "x = 1\r\r\n\nrevision = 1", "NOT_STATIC 4: a value is not a literal");
    SCANS(t, h, "# c\rrevision = 'a'", "revision=a");
    SCANS(t, h, "\f\n  \frevision = 'a'", "revision=a");
    SCANS(t, h, "x = [\r1\r\n]\nrevision = 'a'", "revision=a");
}

static void
test_encodings(imig_test *t, imig_header *h)
{
    SCANS(t, h, "\xEF\xBB\xBFrevision = 'a'", "revision=a");
    SCANS(t, h, "\xEF\xBB\xBF'doc'", "doc=doc");
    SCANS(t, h, "# coding: latin-1\nrevision = '\xE9'", "revision=\xC3\xA9");
    SCANS(t, h, "#!x\n # vim: set fileencoding=ISO_8859_1 :\nrevision = '\xFF'",
          "revision=\xC3\xBF");
    SCANS(t, h, "# -*- coding: utf-8 -*-\nrevision = '\xC3\xA9'", "revision=\xC3\xA9");
    SCANS(t, h, "\xEF\xBB\xBF# coding=utf-8-sig\nrevision = 'a'", "revision=a");
    SCANS(t, h, "# coding: utf8\nrevision = 'a'", "revision=a");
    SCANS(t, h, "# coding: cp1252\nrevision = 'a'", NO_ENCODING);
    SCANS(t, h, "# coding: utf-7\nrevision = 'a'", NO_ENCODING);
    SCANS(t, h, "#\r\n# coding: ascii\r\nrevision = 'a'", NO_ENCODING);
    SCANS(t, h, "\xEF\xBB\xBF# coding: latin-1\nrevision = 'a'", NO_ENCODING);
    SCANS(t, h, "\xEF\xBB\xBF# coding: utf8\nrevision = 'a'", NO_ENCODING);
    SCANS(t, h, "\n\n# coding: cp1252\nrevision = 'a'", "revision=a");
    SCANS(t, h, "x = 1\n# coding: cp1252\nrevision = 'a'", "revision=a");
    SCANS(t, h, "x = '# coding: cp1252'\nrevision = 'a'", "revision=a");
    SCANS(t, h, "# coding\nrevision = 'a'", "revision=a");
    SCANS(t, h, "# coding:", "");
}

static void
test_docs(imig_test *t, imig_header *h)
{
    SCANS(t, h, "'a' 'b'", "doc=ab");
    SCANS(t, h, "('a'\n'b')\n", "doc=ab");
    SCANS(t, h, "# c\n\n'''a'''; revision = 'b'", "revision=b doc=a");
    SCANS(t, h, "''\n", "doc=");
    SCANS(t, h, "'a', 'b'\nrevision = 'c'", "revision=c");
    SCANS(t, h, "('a',)\nrevision = 'c'", "revision=c");
    SCANS(t, h, "'a'.x()\nrevision = 'c'", "revision=c");
    SCANS(t, h, "'a' 'b' + f(\n)\nrevision = 'c'", "revision=c");
    SCANS(t, h, "'a' f'b'\nrevision = 'c'", "revision=c");
    SCANS(t, h, "b'a'\nrevision = 'c'", "revision=c");
    SCANS(t, h, "x = 1\n'a'", "");
    SCANS(t, h, "'a' + (revision := 'b')",
          "NOT_STATIC 1: a name may get its value in another way");
    SCANS(t, h, "'\\ud800'", "NOT_STATIC 1: a string has a surrogate");
    h->without_doc = true;
    SCANS(t, h, "'doc'\nrevision = 'a'", "revision=a");
    h->without_doc = false;
}

static void
test_clean_docs(imig_test *t, imig_header *h)
{
    h->python = 0x030D0000;
    SCANS(t, h, "'''  a\n    b\n      c\n\n   \n'''", "doc=a\nb\n  c\n\n\n");
    SCANS(t, h, "'''a\n\tb\n\t\tc'''", "doc=a\nb\n        c");
    SCANS(t, h, "'''\xC3\xA9\tx\ty'''", "doc=\xC3\xA9       x       y");
    SCANS(t, h, "''", "doc=");
    SCANS(t, h, "'''   '''", "doc=");
    SCANS(t, h, "'''a\n  '''", "doc=a\n  ");
    SCANS(t, h, "'''a\n    b\n  \n    '''", "doc=a\nb\n\n");
    SCANS(t, h, "'a\\r\\tb\\n c'", "doc=a\r        b\nc");
    SCANS(t, h, "'  a'\nrevision = '  b'", "revision=  b doc=a");
    h->python = 0;
    SCANS(t, h, "'''  a\n    b\t'''", "doc=  a\n    b\t");
}

static void
test_names(imig_test *t)
{
    CHECK(t, imig_name_lookup("SPACE", 5) == 0x20);
    CHECK(t, imig_name_lookup("space", 5) == 0x20);
    CHECK(t, imig_name_lookup("SPAC", 4) == 0);
    CHECK(t, imig_name_lookup("SPACES", 6) == 0);
    CHECK(t, imig_name_lookup("", 0) == 0);
    CHECK(t, imig_name_lookup("ZERO WIDTH NO-BREAK SPACE", 25) == 0xFEFF);
    CHECK(t, imig_name_lookup("ACUTE ACCENT", 12) == 0xB4);
}

/* Every code point goes to UTF-8 and back. */
static void
test_utf8(imig_test *t)
{
    uint32_t wrong = 0;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char bytes[4];
        uint32_t back = 0;
        if (code == 0xD800)
            code = 0xE000;
        size_t len = imig_utf8_put(bytes, code);
        if (imig_utf8_next(&back, bytes, len) != len || back != code)
            wrong++;
        if (imig_utf8_next(&back, bytes, len - 1) != 0)
            wrong++;
    }
    CHECK(t, wrong == 0);
}

int
main(void)
{
    imig_test t = {0, 0};
    imig_header h;
    imig_header_init(&h);
    test_literals(&t, &h);
    test_refused_text(&t, &h);
    test_line_ends(&t, &h);
    test_encodings(&t, &h);
    test_docs(&t, &h);
    test_clean_docs(&t, &h);
    imig_header_clear(&h);
    test_names(&t);
    test_utf8(&t);
    CHECK(&t, imig_alloc_live() == 0);
    return imig_test_end(&t, "scan_text");
}
