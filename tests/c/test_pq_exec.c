/* test_pq_exec.c - statements, results, COPY and cancelling, step by step. */
#define _POSIX_C_SOURCE 200809L
#include "imig_test.h"

#include <time.h>

#include "fake_libpq.h"
#include "imig_pq_impl.h"

static const char *const NOTHING[] = {NULL};

static const fake_answer ROWS[] = {{PGRES_TUPLES_OK, ""}, {FAKE_END, NULL}};
static const fake_answer GONE[] = {{PGRES_FATAL_ERROR, "server closed\n"},
                                   {FAKE_END, NULL}};

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

/* The status of the result that is there, which is freed; -1 for none. */
static int
taken(imig_pq_conn *c)
{
    PGresult *result = imig_pq_take_result(c);
    int status = result != NULL ? (int)PQresultStatus(result) : -1;
    PQclear(result);
    return status;
}

static void
test_partial_writes(imig_test *t)
{
    imig_error err;
    int want;
    imig_pq_conn *c = connected(t);
    fake.flushes = "110";
    fake.busy = 4;
    fake.answers = ROWS;
    CHECK(t, imig_pq_send(c, "SELECT 1", &err) == IMIG_OK);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_RUNNING);
    CHECK(t, imig_pq_send(c, "SELECT 2", &err) == IMIG_E_ARGUMENT);
    /* Reading too while writing: or server and client wait for each other. */
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, want == (IMIG_PQ_WANT_READ | IMIG_PQ_WANT_WRITE));
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, want == (IMIG_PQ_WANT_READ | IMIG_PQ_WANT_WRITE));
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, want == IMIG_PQ_WANT_READ);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_READY);
    CHECK(t, taken(c) == PGRES_TUPLES_OK);
    CHECK(t, taken(c) == -1);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    release(t, c);
}

static void
test_last_of_several(imig_test *t)
{
    static const fake_answer SEVERAL[] = {
        {PGRES_TUPLES_OK, ""}, {PGRES_COMMAND_OK, ""}, {FAKE_END, NULL}};
    static const fake_answer FAILING[] = {
        {PGRES_TUPLES_OK, ""}, {PGRES_FATAL_ERROR, "ERROR:  no\n"}, {FAKE_END, NULL}};
    imig_error err;
    int want;
    imig_pq_conn *c = connected(t);
    fake.answers = SEVERAL;
    CHECK(t, imig_pq_send(c, "a; b", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, taken(c) == PGRES_COMMAND_OK);
    fake.answers = FAILING;
    CHECK(t, imig_pq_send(c, "a; b", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, taken(c) == PGRES_FATAL_ERROR);
    /* One that nobody took is freed by the next statement, or with the connection. */
    fake.answers = ROWS;
    CHECK(t, imig_pq_send(c, "a", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    fake.answers = ROWS;
    CHECK(t, imig_pq_send(c, "b", &err) == IMIG_OK);
    CHECK(t, fake.results == 0);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    release(t, c);
}

static void
test_lost_at_each_step(imig_test *t)
{
    static const char *const FLUSHES[] = {"x", "1x", "0"};
    static const char *const CONSUMES[] = {"1", "1", "x"};
    for (int i = 0; i < 3; i++) {
        imig_error err = {0};
        int want;
        imig_pq_conn *c = connected(t);
        fake.busy = 9;
        fake.flushes = FLUSHES[i];
        fake.consumes = CONSUMES[i];
        fake.answers = GONE;
        CHECK(t, imig_pq_send(c, "SELECT 1", &err) == IMIG_OK);
        imig_pq_step step;
        while ((step = imig_pq_pump(c, &want, &err)) == IMIG_PQ_AGAIN)
            ;
        /* libpq says it in a result. */
        CHECK(t, step == IMIG_PQ_DONE && imig_pq_is_broken(c));
        CHECK(t, taken(c) == PGRES_FATAL_ERROR);
        release(t, c);
    }
}

static void
test_lost_when_sending(imig_test *t)
{
    imig_error err = {0};
    imig_pq_conn *c = connected(t);
    fake.send_fails = true;
    fake.messages[0] = "server closed the connection unexpectedly\n\tThis\n";
    CHECK(t, imig_pq_send(c, "SELECT 1", &err) == IMIG_E_LOST);
    CHECK(t, imig_pq_is_broken(c));
    CHECK(t, strcmp(imig_pq_message(c),
                    "server closed the connection unexpectedly\n\tThis") == 0);
    release(t, c);
}

/* The server's last words come as a result, before the loss is known. */
static void
test_last_words(imig_test *t)
{
    static const fake_answer WORDS[] = {
        {PGRES_FATAL_ERROR, "FATAL:  terminating connection\n"},
        {PGRES_FATAL_ERROR, "server closed\n"},
        {FAKE_END, NULL}};
    imig_error err;
    int want;
    imig_pq_conn *c = connected(t);
    fake.flushes = "x";
    fake.consumes = "x";
    fake.answers = WORDS;
    CHECK(t, imig_pq_send(c, "SELECT 1", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_is_broken(c));
    PGresult *first = imig_pq_take_result(c);
    CHECK(t, strcmp(PQresultErrorMessage(first), WORDS[0].message) == 0);
    PQclear(first);
    release(t, c);
    /* ... and nothing comes after it but the end. */
    c = connected(t);
    fake.consumes = "1x";
    fake.busy_again = 9;
    fake.answers = WORDS;
    CHECK(t, imig_pq_send(c, "SELECT 1", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_is_broken(c));
    CHECK(t, taken(c) == PGRES_FATAL_ERROR);
    /* Without a word there is one of ours. */
    fake_reset();
    fake.connections = 1;
    CHECK(t, imig_pq_lost(c, &err) == IMIG_E_LOST);
    CHECK(t, strcmp(err.message, "server closed the connection unexpectedly") == 0);
    release(t, c);
}

static void
test_copy_in(imig_test *t)
{
    static const fake_answer COPY[] = {
        {PGRES_COPY_IN, ""}, {PGRES_COMMAND_OK, ""}, {FAKE_END, NULL}};
    imig_error err;
    int want;
    imig_pq_conn *c = connected(t);
    fake.answers = COPY;
    CHECK(t, imig_pq_copy_put(c, "a", 1, &want, &err) == IMIG_PQ_FAILED);
    CHECK(t, imig_pq_copy_end(c, NULL, &want, &err) == IMIG_PQ_FAILED);
    CHECK(t, imig_pq_send(c, "COPY", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_COPY_IN);
    /* What libpq holds must be out before more is given to it. */
    fake.flushes = "10";
    fake.puts = "0101";
    CHECK(t, imig_pq_copy_put(c, "a\n", 2, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, want == (IMIG_PQ_WANT_READ | IMIG_PQ_WANT_WRITE));
    CHECK(t, imig_pq_copy_put(c, "a\n", 2, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, imig_pq_copy_put(c, "a\n", 2, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_copy_end(c, "why", &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, imig_pq_copy_end(c, "why", &want, &err) == IMIG_PQ_DONE);
    CHECK(t, strcmp(fake.copied_reason, "why") == 0);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_RUNNING);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, taken(c) == PGRES_COMMAND_OK);
    release(t, c);
}

static void
test_copy_in_lost(imig_test *t)
{
    static const fake_answer COPY[] = {{PGRES_COPY_IN, ""}};
    for (int i = 0; i < 3; i++) {
        imig_error err;
        int want;
        imig_pq_conn *c = connected(t);
        fake.answers = COPY;
        CHECK(t, imig_pq_send(c, "COPY", &err) == IMIG_OK);
        CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
        fake.flushes = i == 0 ? "x" : NULL;
        fake.consumes = i == 1 ? "x" : NULL;
        fake.puts = i == 2 ? "x" : NULL;
        imig_pq_step step = imig_pq_copy_put(c, "a\n", 2, &want, &err);
        CHECK(t, step == (i == 2 ? IMIG_PQ_FAILED : IMIG_PQ_DONE));
        if (i != 2)
            CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_RUNNING);
        else
            CHECK(t, err.status == IMIG_E_LOST && imig_pq_is_broken(c));
        release(t, c);
    }
}

/* What the server said before it went is the outcome. */
static void
test_copy_in_last_words(imig_test *t)
{
    static const fake_answer ANSWERS[] = {
        {PGRES_COPY_IN, ""}, {PGRES_FATAL_ERROR, "going"}, {FAKE_END, ""}};
    imig_error err;
    int want;
    imig_pq_conn *c = connected(t);
    fake.answers = ANSWERS;
    CHECK(t, imig_pq_send(c, "COPY", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    fake.flushes = "x";
    CHECK(t, imig_pq_copy_put(c, "a\n", 2, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_RUNNING);
    fake.bad = true;
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    PGresult *pg = imig_pq_take_result(c);
    CHECK(t, pg != NULL && PQresultStatus(pg) == PGRES_FATAL_ERROR);
    PQclear(pg);
    CHECK(t, imig_pq_is_broken(c));
    release(t, c);
}

static void
test_copy_out(imig_test *t)
{
    static const fake_answer COPY[] = {
        {PGRES_COPY_OUT, ""}, {PGRES_FATAL_ERROR, "ERROR:  x\n"}, {FAKE_END, NULL}};
    static const char *const ENDINGS[] = {"d00d0e", "d00d0x"};
    for (int i = 0; i < 2; i++) {
        imig_error err;
        int want, rows = 0, waits = 0;
        imig_pq_conn *c = connected(t);
        fake.answers = COPY;
        fake.gets = ENDINGS[i];
        CHECK(t, imig_pq_send(c, "COPY", &err) == IMIG_OK);
        CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
        while (imig_pq_get_phase(c) == IMIG_PQ_COPY_OUT) {
            char *row;
            size_t len;
            imig_pq_step step = imig_pq_copy_get(c, &row, &len, &want, &err);
            CHECK(t, step != IMIG_PQ_FAILED);
            waits += step == IMIG_PQ_AGAIN;
            rows += row != NULL && len == 4;
            PQfreemem(row);
        }
        CHECK(t, rows == 2 && waits == 1);
        CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
        CHECK(t, taken(c) == PGRES_FATAL_ERROR);
        release(t, c);
    }
}

static void
test_copy_out_lost(imig_test *t)
{
    static const fake_answer COPY[] = {{PGRES_COPY_OUT, ""}};
    imig_error err;
    int want;
    char *row;
    size_t len;
    imig_pq_conn *c = connected(t);
    CHECK(t, imig_pq_copy_get(c, &row, &len, &want, &err) == IMIG_PQ_FAILED);
    fake.answers = COPY;
    fake.gets = "0";
    CHECK(t, imig_pq_send(c, "COPY", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
    fake.consumes = "x";
    CHECK(t, imig_pq_copy_get(c, &row, &len, &want, &err) == IMIG_PQ_FAILED);
    CHECK(t, imig_pq_is_broken(c));
    release(t, c);
}

/* A protocol that this layer does not speak must not be waited for for ever. */
static void
test_replication(imig_test *t)
{
    static const fake_answer BOTH[] = {
        {PGRES_COPY_BOTH, ""}, {PGRES_COPY_BOTH, ""}, {PGRES_COPY_BOTH, ""}};
    imig_error err;
    int want;
    imig_pq_conn *c = connected(t);
    fake.answers = BOTH;
    CHECK(t, imig_pq_send(c, "START_REPLICATION", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_FAILED);
    CHECK(t, imig_pq_is_broken(c));
    CHECK(t, strstr(err.message, "replication") != NULL);
    release(t, c);
}

static void
test_notices(imig_test *t)
{
    imig_pq_conn *c = connected(t);
    char text[40];
    int seen = 0;
    for (int i = 0; i < 3 * IMIG_PQ_NOTICES + 7; i++) {
        snprintf(text, sizeof text, "NOTICE:  %d\n", i);
        fake_notice(text);
    }
    /* The newest are kept, in order. */
    for (char *notice; (notice = imig_pq_take_notice(c)) != NULL; imig_free(notice)) {
        snprintf(text, sizeof text, "NOTICE:  %d\n", 2 * IMIG_PQ_NOTICES + 7 + seen++);
        CHECK(t, strcmp(notice, text) == 0);
    }
    CHECK(t, seen == IMIG_PQ_NOTICES);
    fake_notice("left\n");
    CHECK(t, imig_pq_take_notify(c) == NULL);
    release(t, c);
}

static void
test_messages(imig_test *t)
{
    static const fake_answer ANSWERS[] = {
        {PGRES_FATAL_ERROR, "ERROR:  no such\nLINE 1: x\n        ^\n"},
        {PGRES_FATAL_ERROR, "server closed\n"},
        {PGRES_FATAL_ERROR, "ERROR: x"},
        {PGRES_FATAL_ERROR, ""},
    };
    static const char *const TEXTS[] = {"no such\nLINE 1: x\n        ^",
                                        "server closed", "ERROR: x", ""};
    fake_reset();
    fake.answers = ANSWERS;
    for (int i = 0; i < 4; i++) {
        PGresult *result = PQgetResult(NULL);
        imig_str text = imig_pq_result_message(result);
        CHECK_TEXT(t, text.ptr, text.len, TEXTS[i]);
        PQclear(result);
    }
}

static imig_pq_step
cancel_to_the_end(imig_pq_cancel *k, imig_error *err)
{
    struct timespec pause = {0, 1000000};
    imig_pq_step step;
    int want;
    while ((step = imig_pq_cancel_step(k, &want, err)) == IMIG_PQ_AGAIN)
        nanosleep(&pause, NULL);
    return step;
}

static void
test_cancel(imig_test *t)
{
    imig_error err = {0};
    imig_pq_conn *c = connected(t);
    fake.cancels = "1xs";
    for (int i = 0; i < 3; i++) {
        imig_pq_cancel *k = imig_pq_cancel_new(c);
        CHECK(t, k != NULL);
        CHECK(t, imig_pq_cancel_fd(k) >= 0);
        imig_pq_step step = cancel_to_the_end(k, &err);
        CHECK(t, step == (i == 1 ? IMIG_PQ_FAILED : IMIG_PQ_DONE));
        CHECK(t, i != 1 || strcmp(err.message, "no such server") == 0);
        imig_pq_cancel_free(k);
    }
    fake.no_cancel = true;
    CHECK(t, imig_pq_cancel_new(c) == NULL);
    imig_pq_cancel_free(NULL);
    release(t, c);
    CHECK(t, fake.cancel_objects == 0);
}

/* Given up, and the connection with it, before the server has answered. */
static void
test_cancel_given_up(imig_test *t)
{
    struct timespec pause = {0, 150000000};
    imig_error err;
    int want;
    imig_pq_conn *c = connected(t);
    fake.cancels = "ssss";
    for (int i = 0; i < 4; i++) {
        imig_pq_cancel *k = imig_pq_cancel_new(c);
        CHECK(t, imig_pq_cancel_step(k, &want, &err) == IMIG_PQ_AGAIN);
        imig_pq_cancel_free(k);
    }
    release(t, c);
    nanosleep(&pause, NULL);
    imig_pq_conn *never = imig_pq_new();
    CHECK(t, imig_pq_cancel_new(never) == NULL);
    CHECK(t, imig_pq_pump(never, &want, &err) == IMIG_PQ_FAILED);
    imig_pq_abort(never);
    imig_pq_free(never);
}

/* Freed in the middle of everything. */
static void
test_freed_while_running(imig_test *t)
{
    imig_error err;
    int want;
    imig_pq_conn *c = connected(t);
    fake.busy = 5;
    CHECK(t, imig_pq_send(c, "SELECT 1", &err) == IMIG_OK);
    CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_AGAIN);
    release(t, c);
}

static void
sweep_run(imig_test *t, void *arg)
{
    imig_error err = {0};
    int want;
    imig_pq_conn *c = arg;
    fake.answers = ROWS;
    if (imig_pq_send(c, "SELECT 1", &err) == IMIG_OK) {
        CHECK(t, imig_pq_pump(c, &want, &err) == IMIG_PQ_DONE);
        CHECK(t, taken(c) == PGRES_TUPLES_OK);
    } else {
        CHECK(t, err.status == IMIG_E_NOMEM);
        CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_READY && !imig_pq_is_broken(c));
    }
    fake_notice("NOTICE:  x\n");
    imig_free(imig_pq_take_notice(c));
    imig_pq_cancel *k = imig_pq_cancel_new(c);
    if (k != NULL)
        CHECK(t, cancel_to_the_end(k, &err) == IMIG_PQ_DONE);
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
    imig_pq_cancel_free(k);
}

int
main(void)
{
    imig_test t = {0, 0};
    test_partial_writes(&t);
    test_last_of_several(&t);
    test_lost_at_each_step(&t);
    test_lost_when_sending(&t);
    test_last_words(&t);
    test_copy_in(&t);
    test_copy_in_lost(&t);
    test_copy_in_last_words(&t);
    test_copy_out(&t);
    test_copy_out_lost(&t);
    test_replication(&t);
    test_notices(&t);
    test_messages(&t);
    test_cancel(&t);
    test_cancel_given_up(&t);
    test_freed_while_running(&t);
    imig_pq_conn *c = connected(&t);
    CHECK(&t, imig_test_sweep(&t, sweep_run, c) == 3);
    release(&t, c);
    return imig_test_end(&t, "pq_exec");
}
