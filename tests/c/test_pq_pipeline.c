/* test_pq_pipeline.c - segments of a pipeline, result by result. */
#define _POSIX_C_SOURCE 200809L
#include "imig_test.h"

#include "fake_libpq.h"
#include "imig_pq_impl.h"

static const char *const NOTHING[] = {NULL};

#define OK {PGRES_COMMAND_OK, ""}
#define END {FAKE_END, NULL}
#define SYNC {PGRES_PIPELINE_SYNC, ""}
#define ABORTED {PGRES_PIPELINE_ABORTED, ""}
#define FAILED {PGRES_FATAL_ERROR, "ERROR:  no\n"}

static imig_pq_conn *
connected(imig_test *t)
{
    imig_error err;
    int want;
    imig_pq_conn *c = imig_pq_new();
    fake_reset();
    CHECK(t, imig_pq_connect_start(c, NOTHING, NOTHING, &err) == IMIG_OK);
    CHECK(t, imig_pq_connect_step(c, &want, &err) == IMIG_PQ_DONE);
    return c;
}

static void
release(imig_test *t, imig_pq_conn *c)
{
    imig_pq_free(c);
    CHECK(t, fake.connections == 0);
    CHECK(t, fake.results == 0);
}

/* A connection with `count` statements queued. */
static imig_pq_conn *
queued(imig_test *t, int count)
{
    imig_error err;
    imig_pq_conn *c = connected(t);
    CHECK(t, imig_pq_pipeline_enter(c, &err) == IMIG_OK);
    for (int i = 0; i < count; i++)
        CHECK(t, imig_pq_pipeline_send(c, "x", 1, &err) == IMIG_OK);
    CHECK(t, fake.sent == count);
    return c;
}

/* The statuses that can be taken now, -1 for NULL, as text. */
static void
check_taken(imig_test *t, imig_pq_conn *c, const int *expected, int count)
{
    PGresult *result = NULL;
    int n = 0;
    for (; imig_pq_pipeline_take(c, &result); n++) {
        int status = result != NULL ? (int)PQresultStatus(result) : -1;
        PQclear(result);
        CHECK(t, n < count && status == expected[n]);
    }
    CHECK(t, n == count);
}

static void
test_a_segment(imig_test *t)
{
    static const fake_answer ANSWERS[] = {OK, END, {PGRES_TUPLES_OK, ""}, END, SYNC};
    static const int TAKEN[] = {PGRES_COMMAND_OK, PGRES_TUPLES_OK};
    imig_error err;
    int want;
    imig_pq_conn *c = queued(t, 2);
    fake.answers = ANSWERS;
    CHECK(t, imig_pq_in_pipeline(c));
    CHECK(t, imig_pq_send(c, "SELECT 1", &err) == IMIG_E_ARGUMENT);
    CHECK(t, imig_pq_pipeline_enter(c, &err) == IMIG_E_ARGUMENT);
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pipeline_send(c, "x", 1, &err) == IMIG_E_ARGUMENT);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_READY);
    CHECK(t, !imig_pq_in_pipeline(c) && !fake.pipelined);
    check_taken(t, c, TAKEN, 2);
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_E_ARGUMENT);
    CHECK(t, imig_pq_pipeline_send(c, "x", 1, &err) == IMIG_E_ARGUMENT);
    /* The next one. */
    static const fake_answer AGAIN[] = {OK, END, SYNC};
    fake.answers = AGAIN;
    CHECK(t, imig_pq_pipeline_enter(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pipeline_send(c, "x", 1, &err) == IMIG_OK);
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    check_taken(t, c, TAKEN, 1);
    release(t, c);
}

static void
test_an_error_skips_the_rest(imig_test *t)
{
    static const fake_answer ANSWERS[] = {OK,  END,     FAILED, END, ABORTED,
                                          END, ABORTED, END,    SYNC};
    static const int TAKEN[] = {PGRES_COMMAND_OK, PGRES_FATAL_ERROR,
                                PGRES_PIPELINE_ABORTED, PGRES_PIPELINE_ABORTED};
    imig_error err;
    int want;
    imig_pq_conn *c = queued(t, 4);
    fake.answers = ANSWERS;
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_READY && !imig_pq_is_broken(c));
    check_taken(t, c, TAKEN, 4);
    release(t, c);
}

/* Results that come before the sync are there before it, in their order. */
static void
test_results_before_the_sync(imig_test *t)
{
    static const fake_answer ANSWERS[] = {OK, END, OK, END, SYNC};
    static const int TAKEN[] = {PGRES_COMMAND_OK};
    imig_error err;
    int want;
    imig_pq_conn *c = queued(t, 1);
    fake.answers = ANSWERS;
    fake.busy = 2;
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_AGAIN);
    check_taken(t, c, TAKEN, 0);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_in_pipeline(c));
    check_taken(t, c, TAKEN, 1);
    CHECK(t, imig_pq_pipeline_send(c, "y", 1, &err) == IMIG_OK);
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    check_taken(t, c, TAKEN, 1);
    release(t, c);
}

/* A NULL that ends nothing is waited behind, not spun on. */
static void
test_a_stray_end(imig_test *t)
{
    static const fake_answer ANSWERS[] = {END, OK, END, SYNC};
    static const int TAKEN[] = {PGRES_COMMAND_OK};
    imig_error err;
    int want;
    imig_pq_conn *c = queued(t, 1);
    fake.answers = ANSWERS;
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, want == IMIG_PQ_WANT_READ);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    check_taken(t, c, TAKEN, 1);
    release(t, c);
}

static void
test_what_cannot_go_on(imig_test *t)
{
    static const fake_answer COPY[] = {{PGRES_COPY_IN, ""}, END};
    static const fake_answer EARLY[] = {SYNC, END};
    static const fake_answer *const CASES[] = {COPY, EARLY};
    for (int i = 0; i < 2; i++) {
        imig_error err = {0};
        int want;
        imig_pq_conn *c = queued(t, 2);
        fake.answers = CASES[i];
        CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
        CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_FAILED);
        CHECK(t, err.status == IMIG_E_LOST && imig_pq_is_broken(c));
        release(t, c);
    }
}

static void
test_lost(imig_test *t)
{
    static const fake_answer LAST_WORDS[] = {OK, END, FAILED, END, END};
    static const fake_answer SILENT[] = {OK, END, END};
    static const int TAKEN[] = {PGRES_COMMAND_OK, PGRES_FATAL_ERROR};
    for (int i = 0; i < 2; i++) {
        imig_error err = {0};
        int want;
        imig_pq_conn *c = queued(t, 4);
        fake.answers = i == 0 ? LAST_WORDS : SILENT;
        CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
        fake.consumes = "x";
        CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_FAILED);
        CHECK(t, imig_pq_is_broken(c));
        check_taken(t, c, TAKEN, 2 - i);
        release(t, c);
    }
}

static void
test_refused_by_libpq(imig_test *t)
{
    imig_error err = {0};
    int want;
    static const fake_answer ANSWERS[] = {SYNC};
    imig_pq_conn *c = connected(t);
    fake.enter_fails = true;
    CHECK(t, imig_pq_pipeline_enter(c, &err) == IMIG_E_LOST);
    release(t, c);
    c = queued(t, 1);
    fake.send_fails = true;
    CHECK(t, imig_pq_pipeline_send(c, "x", 1, &err) == IMIG_E_LOST);
    release(t, c);
    c = queued(t, 1);
    fake.sync_fails = true;
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_E_LOST);
    release(t, c);
    c = queued(t, 0);
    fake.exit_fails = true;
    fake.answers = ANSWERS;
    CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_FAILED);
    release(t, c);
}

/* Half of what is queued, or of what is unsent, must have gone. */
static void
test_limits(imig_test *t)
{
    enum { COUNT = IMIG_PQ_MOST_QUEUED + 1, GONE = COUNT - IMIG_PQ_MOST_QUEUED / 2 };
    static fake_answer answers[2 * GONE];
    imig_error err;
    int want;
    for (int i = 0; i < 2 * GONE; i += 2) {
        answers[i] = (fake_answer)OK;
        answers[i + 1] = (fake_answer)END;
    }
    imig_pq_conn *c = queued(t, COUNT - 1);
    CHECK(t, !imig_pq_pipeline_is_full(c));
    CHECK(t, imig_pq_pipeline_send(c, "x", 1, &err) == IMIG_OK);
    CHECK(t, imig_pq_pipeline_is_full(c));
    fake.answers = answers;
    fake.busy_again = 2;
    fake.busy = 2;
    imig_pq_step step;
    int steps = 0;
    while ((step = imig_pq_pipeline_relieve(c, &want, &err)) == IMIG_PQ_AGAIN)
        steps++;
    CHECK(t, step == IMIG_PQ_DONE && steps > 0);
    CHECK(t, !imig_pq_pipeline_is_full(c) && c->queued == IMIG_PQ_MOST_QUEUED / 2);
    release(t, c);

    c = connected(t);
    CHECK(t, imig_pq_pipeline_enter(c, &err) == IMIG_OK);
    CHECK(t, imig_pq_pipeline_send(c, "x", IMIG_PQ_MOST_UNSENT + 1, &err) == IMIG_OK);
    CHECK(t, imig_pq_pipeline_is_full(c));
    fake.busy = 9;
    fake.flushes = "11";
    CHECK(t, imig_pq_pipeline_relieve(c, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, want == (IMIG_PQ_WANT_READ | IMIG_PQ_WANT_WRITE));
    CHECK(t, imig_pq_pipeline_relieve(c, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, imig_pq_pipeline_relieve(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, !imig_pq_pipeline_is_full(c));
    release(t, c);
}

static void
sweep_run(imig_test *t, void *arg)
{
    static const fake_answer ANSWERS[] = {SYNC};
    static const fake_answer BOTH[] = {OK, END, SYNC};
    imig_error err = {0};
    int want;
    imig_pq_conn *c = arg;
    PGresult *result = NULL;
    CHECK(t, imig_pq_pipeline_enter(c, &err) == IMIG_OK);
    bool sent = imig_pq_pipeline_send(c, "x", 1, &err) == IMIG_OK;
    CHECK(t, sent || err.status == IMIG_E_NOMEM);
    if (imig_pq_pipeline_sync(c, &err) != IMIG_OK) {
        CHECK(t, err.status == IMIG_E_NOMEM && imig_pq_in_pipeline(c));
        CHECK(t, imig_pq_pipeline_sync(c, &err) == IMIG_OK);
    }
    fake.answers = sent ? BOTH : ANSWERS;
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_READY && !imig_pq_is_broken(c));
    CHECK(t, imig_pq_pipeline_take(c, &result) == sent);
    PQclear(result);
}

int
main(void)
{
    imig_test t = {0, 0};
    test_a_segment(&t);
    test_an_error_skips_the_rest(&t);
    test_results_before_the_sync(&t);
    test_a_stray_end(&t);
    test_what_cannot_go_on(&t);
    test_lost(&t);
    test_refused_by_libpq(&t);
    test_limits(&t);
    release(&t, queued(&t, 3));
    imig_pq_conn *c = connected(&t);
    CHECK(&t, imig_test_sweep(&t, sweep_run, c) == 2);
    release(&t, c);
    return imig_test_end(&t, "pq_pipeline");
}
