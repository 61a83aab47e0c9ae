/* test_scan_known.c - what is not read again: stretches of other files, and the rest of
 * a file that cannot matter. */
#include "imig_word.h"
#include "scan_render.h"

#define DOC(name) "\"\"\"" name "\"\"\"\n"
#define IMPORTS "import sqlalchemy as sa\n\n# revision identifiers\n"
#define HEADER(id, down)                                                               \
    "revision: str = " id "\ndown_revision: Union[str, None] = " down "\n"
#define LABELS "branch_labels: Union[str, None] = None\ndepends_on = None\n\n\n"
#define BODY "def upgrade() -> None:\n    op.execute('select 1')\n"

/* Scan a file after others. */
static void
after(imig_test *t, const char *const *before, size_t count, const char *text,
      const char *wanted)
{
    imig_known known;
    imig_header h;
    imig_known_init(&known);
    imig_header_init(&h);
    h.known = &known;
    for (size_t i = 0; i < count; i++)
        CHECK(t, imig_scan(&h, before[i], strlen(before[i]), NULL) == IMIG_OK);
    SCANS(t, &h, text, wanted);
    imig_header_clear(&h);
    imig_known_clear(&known);
}

static void
after_one(imig_test *t, const char *before, const char *text, const char *wanted)
{
    after(t, &before, 1, text, wanted);
}

static void
test_stretches(imig_test *t)
{
    static const char first[] = DOC("A") IMPORTS HEADER("'a'", "None") LABELS BODY;
    static const struct {
        const char *text;
        const char *wanted;
    } rows[] = {
        {DOC("B") IMPORTS HEADER("'b'", "('a', 'c')") LABELS BODY,
         "revision=b down_revision=(a,c) branch_labels=None depends_on=None doc=B"},
        {DOC("B") IMPORTS HEADER("'b' 'c'; x = 1", "'a';") LABELS BODY,
         "revision=bc down_revision=a branch_labels=None depends_on=None doc=B"},
        {DOC("B") IMPORTS HEADER("'b'", "'a'") "x = 1\n" BODY,
         "revision=b down_revision=a doc=B"},
        {DOC("B") IMPORTS HEADER("'b'", "'a'") LABELS "depends_on = 'x'\n",
         "NOT_STATIC 11: a name is assigned twice"},
        {DOC("B") IMPORTS HEADER("'b'; revision = 'x'", "'a'"),
         "NOT_STATIC 5: a name is assigned twice"},
        {DOC("B") IMPORTS HEADER("f()", "'a'"),
         "NOT_STATIC 5: a value is not a literal"},
        {DOC("B") IMPORTS HEADER("other = 'b'", "'a'"),
         "revision=b down_revision=a doc=B"},
        {DOC("B") IMPORTS "revision: str == 'b'", "doc=B"},
        {DOC("B") IMPORTS "revision: str =", "NOT_STATIC 5: a value is not a literal"},
        {DOC("B") IMPORTS "revision: str = 'b'", "revision=b doc=B"},
        {DOC("B") IMPORTS "revision: str = 'b'\ndown_revision: Union[str, None",
         "NOT_STATIC 6: a bracket is not closed"},
        {"revision = 'z'\n" IMPORTS HEADER("'b'", "'a'"),
         "NOT_STATIC 5: a name is assigned twice"},
        {DOC("B") "revision = 'z'\n" IMPORTS HEADER("'b'", "'a'"),
         "NOT_STATIC 6: a name is assigned twice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        after_one(t, first, rows[i].text, rows[i].wanted);
}

/* What a stretch has told stays told: sys with modules, a list that is used again. */
static void
test_facts(imig_test *t)
{
    static const char sys[] = DOC("") "import sys\n" HEADER("'a'", "None") BODY;
    after_one(t, sys, DOC("") "import sys\n" HEADER("'b'", "'a'") "modules = 1\n",
              "NOT_STATIC 5: sys.modules is used");
    static const char list[] =
        DOC("") "x = 1\nrevision = 'a'\nprint(revision)\ndown_revision = None\n" BODY;
    after_one(t, list,
              DOC("") "x = 1\nrevision = ['a']\nprint(revision)\n"
                      "down_revision = None\n" BODY,
              "NOT_STATIC 0: a list or set is used elsewhere as well");
    /* The same bytes where something else is known: nothing is recalled. */
    static const char *const two[] = {
        DOC("") "import sys\nrevision = 'a'\ndown_revision = None\n" BODY,
        DOC("") "modules = 1\nrevision = 'a'\ndown_revision = None\n" BODY,
    };
    after(
        t, two, 2,
        DOC("") "import sys\nrevision = 'a'\nmodules = 2\ndown_revision = None\n" BODY,
        "NOT_STATIC 4: sys.modules is used");
    /* A label in between is a value of that file's. */
    static const char label[] =
        DOC("") "branch_labels = 'x'\nrevision = 'a'\ndown_revision = None\n" BODY;
    after_one(t, label,
              DOC("") "branch_labels = 'y'\nrevision = 'b'\ndown_revision = 'a'\n",
              "revision=b down_revision=a branch_labels=y doc=");
}

static void
test_rest(imig_test *t)
{
    static const char *const harmless[] = {
        "op.execute('x')",
        "executed = attribute",
        "x = 'a' \"",
        "evaluate(localsx)",
        "from a import b",
        "import a\n    x * y",
        "x = $?",
        "importer * 2",
        "__name__, __init__, __x",
        "reversion = 1",
        "system.sys",
        "))",
        "downs_revision = 1",
        "modules_ = 1",
    };
    static const char *const harmful[] = {
        "global revision",
        "x.revision = 1",
        "exec('x')",
        "x = '''revision'''",
        "# depends_on",
        "from a import *",
        "from a import \\\n    *",
        "getattr(x, y)",
        "builtins",
        "\xC3\xA9 = 1",
        "vars(x)",
        "x.__dict__",
        "sys.modules",
    };
    imig_tail tail;
    imig_tail_init(&tail);
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
        bool silent = imig_tail_silent(&tail, harmless[i], strlen(harmless[i]));
        if (!silent)
            fprintf(stderr, "%s\n", harmless[i]);
        CHECK(t, silent);
    }
    for (size_t i = 0; i < sizeof harmful / sizeof *harmful; i++)
        CHECK(t, !imig_tail_silent(&tail, harmful[i], strlen(harmful[i])));
}

/* A word is found wherever it stands, among whatever letters. */
static void
test_places(imig_test *t)
{
    static const char *const words[] = {"exec", "revision", "_alembic_source_encoding",
                                        "\xEF\xBD\x92", "__doc__"};
    imig_tail tail;
    char bytes[160];
    imig_tail_init(&tail);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t len = strlen(words[i]);
        for (size_t size = len; size < sizeof bytes; size++) {
            for (size_t at = 0; at + len <= size; at += 1 + size / 40) {
                memset(bytes, at % 2 != 0 ? ' ' : '.', size);
                memcpy(bytes + at, words[i], len);
                CHECK(t, !imig_tail_silent(&tail, bytes, size));
            }
        }
    }
    memset(bytes, 'e', sizeof bytes);
    CHECK(t, imig_tail_silent(&tail, bytes, sizeof bytes));
}

static void
scan_twice(imig_test *t, void *arg)
{
    static const char text[] = DOC("A") IMPORTS HEADER("'a'", "None") LABELS BODY;
    imig_known known;
    imig_header h;
    (void)arg;
    imig_known_init(&known);
    imig_header_init(&h);
    h.known = &known;
    for (int i = 0; i < 2; i++) {
        imig_status st = imig_scan(&h, text, sizeof text - 1, NULL);
        CHECK(t, st == IMIG_E_NOMEM || (st == IMIG_OK && h.is_static));
    }
    imig_header_clear(&h);
    imig_known_clear(&known);
}

int
main(void)
{
    imig_test t = {0, 0};
    test_stretches(&t);
    test_facts(&t);
    test_rest(&t);
    test_places(&t);
    CHECK(&t, imig_test_sweep(&t, scan_twice, NULL) > 3);
    CHECK(&t, imig_alloc_live() == 0);
    return imig_test_end(&t, "test_scan_known");
}
