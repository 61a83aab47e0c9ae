/* test_scan.c - statements: which give a name its value, which are NOT_STATIC. */
#include "imig_word.h"
#include "scan_render.h"

#define SECOND "a name is assigned twice"
#define OTHER_WAY "a name may get its value in another way"
#define USES_TRICK "exec(), globals() or the like is used"
#define NOT_LITERAL "a value is not a literal"

static void
test_values(imig_test *t, imig_header *h)
{
    SCANS(t, h, "", "");
    SCANS(t, h, "x = 1\n", "");
    SCANS(t, h, "revision = 'a'", "revision=a");
    SCANS(t, h, "revision = None", "revision=None");
    SCANS(t, h, "revision = ('a')", "revision=a");
    SCANS(t, h, "revision = (((None)))", "revision=None");
    SCANS(t, h, "revision = ()", "revision=()");
    SCANS(t, h, "revision = 'a',", "revision=(a)");
    SCANS(t, h, "revision = 'a', 'b'", "revision=(a,b)");
    SCANS(t, h, "revision = ('a', 'b',)", "revision=(a,b)");
    SCANS(t, h, "revision = (('a'), ('b' 'c'))", "revision=(a,bc)");
    SCANS(t, h, "revision = []", "revision=[]");
    SCANS(t, h, "revision = ['a', 'b']", "revision=[a,b]");
    SCANS(t, h, "revision = (['a',])", "revision=[a]");
    SCANS(t, h, "revision = {'a', 'a'}", "revision={a,a}");
    SCANS(t, h, "revision = ''", "revision=");
    SCANS(t, h, "revision = '', ''", "revision=(,)");
    SCANS(t, h, "revision: str = 'a'", "revision=a");
    SCANS(t, h, "revision: Union[str, None] = 'a', 'b'", "revision=(a,b)");
    SCANS(t, h, "revision: str\nrevision = 'a'", "revision=a");
    SCANS(t, h, "revision = down_revision = 'a'", "revision=a down_revision=a");
    SCANS(t, h, "x = revision = y = 'a'", "revision=a");
    SCANS(t, h, "revision = 'a'; down_revision = 'b';", "revision=a down_revision=b");
    SCANS(t, h, "x = 1; depends_on = 'b'", "depends_on=b");
    SCANS(t, h, "revision = ( # c\n 'a' # c\n\n 'b')", "revision=ab");
    SCANS(t, h, "revision \\\n = \\\r\n 'a'", "revision=a");
}

static void
test_no_literals(imig_test *t, imig_header *h)
{
    static const char *const values[] = {
        "1",
        "True",
        "x",
        "'a' + 'b'",
        "'a'.upper()",
        "-1",
        "{}",
        "{'a': 'b'}",
        "('a', None)",
        "(('a',),)",
        "['a', 1]",
        "*x, 'a'",
        "lambda: 0",
        "'a' if x else 'b'",
        "'a'['b']",
        "('a')('b')",
        "[x for x in y]",
        "...",
        "not 'a'",
        "'a' == 'b'",
        "(,)",
        "",
        ",",
        "'a' None",
        "['a' 'b', , 'c']",
        "x = y",
        "None, 'a'",
    };
    char source[64];
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        snprintf(source, sizeof source, "revision = %s\n", values[i]);
        SCANS(t, h, source, "NOT_STATIC 1: " NOT_LITERAL);
    }
    SCANS(t, h, "revision = f'a'", "NOT_STATIC 1: a value is an f-string");
    SCANS(t, h, "revision = 'a' f'b'", "NOT_STATIC 1: a value is not a literal");
    SCANS(t, h, "revision = b'a'", "NOT_STATIC 1: a value is bytes");
}

static void
test_other_ways(imig_test *t, imig_header *h)
{
    static const char *const statements[] = {
        "revision += 'a'",
        "revision, x = y",
        "(revision) = 'a'",
        "[revision] = x",
        "x = (revision := 'a')",
        "x = [y := revision, revision := 1]",
        "if x: revision = 'a'",
        "if x:\n  revision = 'a'",
        "try:\n  pass\nexcept E as revision: pass",
        "for revision in x: pass",
        "with x as revision: pass",
        "import x as revision",
        "import revision",
        "from x import (y, revision)",
        "del revision",
        "global revision",
        "match x:\n  case revision: pass",
        "type revision = int",
        "class A((revision := B)): pass",
        "def f(x=(revision := 1)): pass",
        "@(revision := x)\ndef f(): pass",
        "x.revision = 1",
        "x = y.revision",
        "x[revision] = 1",
        "x = f'{(revision := 1)}'",
        "__doc__ = 'x'",
        "__getattr__ = x",
        "_alembic_source_encoding = 'utf-8'",
        "lambda revision='a': 0",
        "lazy import x as revision",
        "if x:\n  lazy import x as revision",
        "x = 1; lazy from x import y, revision",
    };
    imig_buf source = IMIG_BUF_INIT;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        source.len = 0;
        imig_buf_str(&source, statements[i]);
        imig_buf_str(&source, "\n");
        char *copy = imig_test_copy(source.data, source.len);
        CHECK(t, imig_scan(h, copy, source.len, NULL) == IMIG_OK);
        imig_test_note(t, !h->is_static && strcmp(h->reason, OTHER_WAY) == 0,
                       statements[i], __FILE__, __LINE__);
        free(copy);
    }
    imig_buf_clear(&source);
    SCANS(t, h, "revision = 'a'\nrevision = 'a'", "NOT_STATIC 2: " SECOND);
    SCANS(t, h, "revision: (revision) = 'a'",
          "NOT_STATIC 1: an annotation uses the name");
    SCANS(t, h, "def revision(): pass",
          "NOT_STATIC 1: a function or class has the name");
    SCANS(t, h, "async def __getattr__(x): pass",
          "NOT_STATIC 1: a function or class has the name");
    SCANS(t, h, "def f():\n  global x, revision\n",
          "NOT_STATIC 2: a name is declared global");
    SCANS(t, h, "def f():\n  x.revision = 1\n",
          "NOT_STATIC 2: an attribute with the name may be assigned");
    SCANS(t, h, "def f():\n  y, (x.revision) = 1, 2\n",
          "NOT_STATIC 2: an attribute with the name may be assigned");
    SCANS(t, h, "def f(): return [0 for y[x in z], x.revision in y]\n",
          "NOT_STATIC 1: an attribute with the name may be assigned");
    SCANS(t, h, "def f():\n  with x as y, z as (y.revision):\n    pass",
          "NOT_STATIC 2: an attribute with the name may be assigned");
    SCANS(t, h, "def f(): del x.revision\n",
          "NOT_STATIC 1: an attribute with the name may be assigned");
    SCANS(t, h, "from x import *", "NOT_STATIC 1: a star import may bind any name");
}

static void
test_tricks(imig_test *t, imig_header *h)
{
    static const char *const functions[] = {"exec",    "eval",    "setattr",
                                            "delattr", "getattr", "globals"};
    static const char *const internals[] = {
        "__globals__",   "f_globals",        "f_locals",      "__dict__",   "builtins",
        "__builtins__",  "__import__",       "import_module", "ctypes",     "__code__",
        "get_referrers", "get_objects",      "getmodule",     "__loader__", "__spec__",
        "__setattr__",   "__getattribute__",
    };
    char source[64];
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        snprintf(source, sizeof source, "def f():\n  %s(x)\n", functions[i]);
        SCANS(t, h, source, "NOT_STATIC 2: " USES_TRICK);
        snprintf(source, sizeof source, "def f():\n  x.%s(x)\n", functions[i]);
        SCANS(t, h, source, "");
    }
    for (size_t i = 0; i < sizeof internals / sizeof internals[0]; i++) {
        snprintf(source, sizeof source, "x = f.%s\n", internals[i]);
        SCANS(t, h, source, "NOT_STATIC 1: the interpreter's internals are used");
    }
    SCANS(t, h, "x = locals()", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "def f(x=vars()): pass", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "def f():\n  return '%s' % locals()", "");
    SCANS(t, h, "def f():\n  pass\nx = vars()", "NOT_STATIC 3: " USES_TRICK);
    SCANS(t, h, "def f(): pass\nvars()", "NOT_STATIC 2: " USES_TRICK);
    SCANS(t, h, "def f(x):\n  globals()[f'u_{x[0]}' + (\n'y')]()", "");
    SCANS(t, h, "globals()['f'](globals()['g']())", "");
    SCANS(t, h, "globals()['f']", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "globals()['revision'] = 1", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "globals()[globals()['x']()]()", "");
    SCANS(t, h, "globals()[globals()['x']]()", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "globals()(x)['f']()", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "globals(x)['f']()", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "globals().update(x)", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "x = globals", "NOT_STATIC 1: " USES_TRICK);
    SCANS(t, h, "import sys\nsys.modules", "NOT_STATIC 2: sys.modules is used");
    SCANS(t, h, "from sys import modules", "NOT_STATIC 1: sys.modules is used");
    SCANS(t, h, "modules = 1", "");
    SCANS(t, h, "import sys\nx = sys.path", "");
    SCANS(t, h, "r\xC3\xA9vision = 1\n\xE5\x90\x8D = 2", "");
    SCANS(t, h, "x = 1\n\xEF\xBD\x92\x65vision = 1", /* fullwidth r */
          "NOT_STATIC 2: a name has letters that Python may normalise");
}

/* Each word is found, and none but those that start a statement may be skipped. */
static void
test_words(imig_test *t)
{
    static const char *const words[] = {
        "revision",
        "down_revision",
        "branch_labels",
        "depends_on",
        "__doc__",
        "__getattr__",
        "_alembic_source_encoding",
        "exec",
        "eval",
        "getattr",
        "setattr",
        "delattr",
        "locals",
        "vars",
        "globals",
        "builtins",
        "__builtins__",
        "__import__",
        "import_module",
        "__globals__",
        "f_globals",
        "f_locals",
        "__dict__",
        "__code__",
        "__setattr__",
        "__delattr__",
        "__getattribute__",
        "__loader__",
        "__spec__",
        "getmodule",
        "get_referrers",
        "get_objects",
        "ctypes",
        "sys",
        "modules",
        "global",
        "import",
        "for",
        "del",
        "as",
    };
    static const char *const starters[] = {
        "None",  "in",    "def",    "class",   "async",  "if",       "elif", "else",
        "while", "try",   "except", "finally", "with",   "match",    "case", "from",
        "type",  "raise", "yield",  "return",  "assert", "nonlocal",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);
        bool found = imig_word_of(words[i], len) != IMIG_WORD_PLAIN &&
                     imig_word_possible(words[i], len);
        imig_test_note(t, found, words[i], __FILE__, __LINE__);
    }
    for (size_t i = 0; i < sizeof starters / sizeof starters[0]; i++) {
        bool found = imig_word_of(starters[i], strlen(starters[i])) != IMIG_WORD_PLAIN;
        imig_test_note(t, found, starters[i], __FILE__, __LINE__);
    }
    CHECK(t, imig_word_of("revisio", 7) == IMIG_WORD_PLAIN);
    CHECK(t, imig_word_of("", 0) == IMIG_WORD_PLAIN);
    CHECK(t, !imig_word_possible("Column", 6));
}

/* getattr() and its like with a literal are as good as the attribute. */
static void
test_attributes(imig_test *t, imig_header *h)
{
    static const char *const plain[] = {
        "getattr(x, 'y')",
        "def f():\n  return getattr(f(x)[0], \"y\", None) or getattr(x, r'y')",
        "getattr(getattr(x, 'y'), 'z')(getattr(a, 'b'))",
        "setattr(x, 'y', getattr(y, 'z'))",
        "delattr(x, 'y')",
        "x.getattr(y)",
        "def f():\n  globals()[getattr(x, 'y')]()",
    };
    static const char *const refused[] = {
        "getattr(x, y)",
        "getattr(x)",
        "getattr(*x)",
        "getattr(x, 'y' 'z')",
        "getattr(x, 'y' + 'z')",
        "getattr(x, b'y')",
        "getattr(x, f'y')",
        "getattr(x, '\\x79')",
        "getattr(x, '__globals__')",
        "getattr(sys, 'modules')",
        "setattr(x, 'revision', 1)",
        "setattr(x, '__doc__', 1)",
        "getattr[x]",
        "y = getattr",
        "getattr(x, name='y')",
        "map(getattr, x)",
        "def getattr(): pass",
    };
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        SCANS(t, h, plain[i], "");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        SCANS(t, h, refused[i], "NOT_STATIC 1: " USES_TRICK);
    imig_buf deep = IMIG_BUF_INIT;
    for (int i = 0; i < 9; i++)
        imig_buf_str(&deep, "getattr(");
    imig_buf_byte(&deep, '\0');
    SCANS(t, h, deep.data, "NOT_STATIC 1: " USES_TRICK);
    imig_buf_clear(&deep);
}

/* Names that stand in places where they are other names, or only read. */
static void
test_harmless(imig_test *t, imig_header *h)
{
    static const char *const statements[] = {
        "def f(revision, *down_revision): revision = 1; return revision",
        "def f():\n\trevision = 1\n\n# c\n\tdown_revision = 2",
        "class A:\n  revision = 1\n  def depends_on(self): pass",
        "class A: revision = 1",
        "async def f(revision):\n  async for revision in x: pass",
        "@x(revision)\ndef f(revision=revision) -> revision: pass",
        "print(revision, revision=1)",
        "x = revision",
        "x = y[revision]",
        "x = f'{revision!r:>{10}} {{revision}}'",
        "x = [revision for revision in y]",
        "x = lambda: revision",
        "revision_x = 1",
        "'''\nrevision = 1\n'''.x()",
        "def f():\n  if x:\n    pass\n# c\n  revision = 1",
        "def f():\n  nonlocal revision",
        "def f():\n  return x.revision == 1",
        "def f():\n  y = g(x.revision, z=1); z = 2",
        "def f():\n  return [x.revision for x in y if x.revision]",
        "def f():\n  for x in y(z.revision):\n    pass",
        "def f():\n  with x(y.revision) as z: pass",
        "def f():\n  if x.revision != 1:\n    pass",
        "from __future__ import annotations",
    };
    imig_buf source = IMIG_BUF_INIT;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        source.len = 0;
        imig_buf_str(&source, statements[i]);
        imig_buf_str(&source, "\ndown_revision = 'b'\n");
        imig_buf_byte(&source, '\0');
        SCANS(t, h, source.data, "down_revision=b");
    }
    imig_buf_clear(&source);
}

/* A list can be changed by whoever holds it. */
static void
test_lists(imig_test *t, imig_header *h)
{
    const char *again = "NOT_STATIC 0: a list or set is used elsewhere as well";
    SCANS(t, h, "branch_labels = ['a']\nbranch_labels.append('b')", again);
    SCANS(t, h, "branch_labels = {'a'}\ndef f():\n  return branch_labels", again);
    SCANS(t, h, "branch_labels = x = ['a']",
          "NOT_STATIC 1: a list or set has another name as well");
    SCANS(t, h, "branch_labels = depends_on = ['a']",
          "branch_labels=[a] depends_on=[a]");
    SCANS(t, h, "branch_labels = 'a',\nprint(branch_labels)", "branch_labels=(a)");
}

/* What no Python compiles: the header stands once both ids are known. */
static void
test_broken(imig_test *t, imig_header *h)
{
    static const char *const damages[] = {
        "x = (1,\n", "x = 'a\n", "x = '''a\n", "x = )\n", "x = (]\n", "x = 1 \\ 2\n",
    };
    imig_buf source = IMIG_BUF_INIT;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        source.len = 0;
        imig_buf_str(&source, "revision = 'a'\ndown_revision = None\n");
        imig_buf_str(&source, damages[i]);
        imig_buf_str(&source, "revision = 'b'\n");
        imig_buf_byte(&source, '\0');
        SCANS(t, h, source.data, "revision=a down_revision=None");
        CHECK(t, h->reason != NULL && h->line >= 3);
        source.len = 0;
        imig_buf_str(&source, "revision = 'a'\n");
        imig_buf_str(&source, damages[i]);
        char *copy = imig_test_copy(source.data, source.len);
        CHECK(t, imig_scan(h, copy, source.len, NULL) == IMIG_OK && !h->is_static);
        free(copy);
    }
    imig_buf_clear(&source);
    SCANS(t, h, "revision = 'a'\ndown_revision = None\nx = $",
          "NOT_STATIC 3: a character that Python does not know");
    SCANS(t, h, "\\\nrevision = 'a'",
          "NOT_STATIC 1: a line starts with a line continuation");
    check_scan(t, h, "x = 1\n\0", 7, "NOT_STATIC 2: the file has a NUL byte", __FILE__,
               __LINE__);
}

/* Scan of one source while an allocation fails somewhere. */
static void
scan_once(imig_test *t, void *arg)
{
    static const char source[] =
        "'''doc\n\twith a tab'''\nrevision = 'a' 'b'\n"
        "down_revision = ('1', '2', '3', '4', '5', '6', '7', '8', '9', '10')\n";
    imig_header h;
    imig_error err = {0};
    imig_header_init(&h);
    h.python = *(uint32_t *)arg;
    imig_status status = imig_scan(&h, source, sizeof source - 1, &err);
    CHECK(t, status == IMIG_OK || status == IMIG_E_NOMEM);
    CHECK(t, (status == IMIG_OK) == h.is_static);
    CHECK(t, status == IMIG_OK || err.status == IMIG_E_NOMEM);
    imig_header_clear(&h);
}

/* A quarter of a mebibyte of each: time that is not linear would run into the runner's
 * limit. */
static void
test_long(imig_test *t, imig_header *h)
{
    static const char *const parts[] = {
        "(",
        "[",
        "{",
        "()",
        "\\",
        "\\\n",
        "'",
        "'''",
        "'' ",
        "\"\"\"",
        "f'{",
        "f'''{",
        "f''",
        "f'{x}'",
        "f'{{}}' ",
        "#\r",
        "\r",
        "\n",
        "\t",
        "\f",
        "a",
        ".",
        "1",
        "revision\n",
        "global revisio\n",
        "def f(): pass\n",
        "if x:\n",
        "x=1;",
        "'a',",
        "\xC3\xA9",
        "\\N{",
        "\xEF\xBB\xBF",
    };
    static const char *const starts[] = {"", "revision = ", "revision = '",
                                         "revision = (", "'''"};
    const size_t size = (size_t)1 << 18;
    char *bytes = malloc(size);
    if (bytes == NULL)
        abort();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        for (size_t j = 0; j < sizeof starts / sizeof starts[0]; j++) {
            size_t first = strlen(starts[j]);
            memcpy(bytes, starts[j], first);
            for (size_t at = first; at < size; at++)
                bytes[at] = parts[i][(at - first) % strlen(parts[i])];
            CHECK(t, imig_scan(h, bytes, size, NULL) == IMIG_OK);
        }
    }
    free(bytes);
}

static void
test_limits(imig_test *t, imig_header *h)
{
    imig_error err;
    CHECK(t, imig_scan(h, "", IMIG_SCAN_LIMIT + 1, &err) == IMIG_E_LIMIT);
    CHECK(t, !h->is_static && err.status == IMIG_E_LIMIT);
    CHECK(t, imig_scan(h, NULL, 0, &err) == IMIG_OK && h->is_static);
}

int
main(void)
{
    imig_test t = {0, 0};
    imig_header h;
    uint32_t pythons[] = {0, 0x030D0000};
    imig_header_init(&h);
    test_values(&t, &h);
    test_no_literals(&t, &h);
    test_other_ways(&t, &h);
    test_tricks(&t, &h);
    test_attributes(&t, &h);
    test_words(&t);
    test_harmless(&t, &h);
    test_lists(&t, &h);
    test_broken(&t, &h);
    test_limits(&t, &h);
    test_long(&t, &h);
    imig_header_clear(&h);
    imig_header_clear(&h);
    CHECK(&t, imig_test_sweep(&t, scan_once, &pythons[0]) >= 3);
    CHECK(&t, imig_test_sweep(&t, scan_once, &pythons[1]) >= 3);
    CHECK(&t, imig_alloc_live() == 0);
    return imig_test_end(&t, "scan");
}
