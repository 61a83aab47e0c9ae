/* test_pq_connect.c - which hosts are tried, in which order, and what is said of them.
 */
#define _POSIX_C_SOURCE 200809L
#include "imig_test.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake_libpq.h"
#include "imig_pq_impl.h"

static const char *const KEYWORDS[] = {"user", "password", NULL};
static const char *const VALUES[] = {"u", "secret", NULL};

static void
pause_ms(long ms)
{
    struct timespec pause = {0, ms * 1000000};
    nanosleep(&pause, NULL);
}

/* Step to the end, however often it says AGAIN. */
static imig_pq_step
finish_connecting(imig_pq_conn *c, imig_error *err)
{
    int want = 0;
    imig_pq_step step;
    while ((step = imig_pq_connect_step(c, &want, err)) == IMIG_PQ_AGAIN)
        if (c->resolving != NULL)
            pause_ms(1);
    return step;
}

/* Connect by the script; the connection is the caller's. */
static imig_pq_step
connect_all(imig_test *t, imig_pq_conn **out, imig_error *err)
{
    imig_pq_conn *c = imig_pq_new();
    *out = c;
    CHECK(t, c != NULL);
    if (c == NULL || imig_pq_connect_start(c, KEYWORDS, VALUES, err) != IMIG_OK)
        return IMIG_PQ_FAILED;
    return finish_connecting(c, err);
}

static void
check_nothing_left(imig_test *t)
{
    CHECK(t, fake.connections == 0);
    CHECK(t, fake.results == 0);
    CHECK(t, fake.options == 0);
}

static void
test_waits(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c = imig_pq_new();
    int want = 0;
    fake_reset();
    fake.polls[0] = "wrO";
    CHECK(t, imig_pq_connect_start(c, KEYWORDS, VALUES, &err) == IMIG_OK);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_CONNECTING);
    CHECK(t, imig_pq_fd(c) >= 0);
    CHECK(t, imig_pq_connect_timeout_ms(c) == -1);
    CHECK(t, imig_pq_connect_step(c, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, want == IMIG_PQ_WANT_WRITE);
    CHECK(t, imig_pq_connect_step(c, &want, &err) == IMIG_PQ_AGAIN);
    CHECK(t, want == IMIG_PQ_WANT_READ);
    CHECK(t, imig_pq_connect_step(c, &want, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_READY);
    CHECK(t, imig_pq_raw(c) != NULL && !imig_pq_is_broken(c));
    /* The password is not kept. */
    CHECK(t, c->hosts.values == NULL);
    CHECK(t, imig_pq_connect_start(c, KEYWORDS, VALUES, &err) == IMIG_E_ARGUMENT);
    CHECK(t, imig_pq_connect_step(c, &want, &err) == IMIG_PQ_FAILED);
    imig_pq_free(c);
    check_nothing_left(t);
}

static void
test_hosts_in_order(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    fake.host = "/a,10.0.0.2,::1";
    fake.hostaddr = "";
    fake.port = "1,2,3";
    fake.polls[0] = fake.polls[1] = "rF";
    fake.messages[0] = "first failed\n";
    fake.messages[1] = "second failed\n\tbadly\n";
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_DONE);
    CHECK(t, fake.attempts == 3);
    CHECK(t, strcmp(fake.tried[0], "/a||1|") == 0);
    CHECK(t, strcmp(fake.tried[1], "10.0.0.2||2|") == 0);
    CHECK(t, strcmp(fake.tried[2], "::1||3|") == 0);
    CHECK(t, imig_pq_message(c)[0] == '\0');
    imig_pq_free(c);
    check_nothing_left(t);
}

static void
test_all_hosts_fail(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    fake.host = "/a,/b";
    fake.port = "5432";
    fake.polls[0] = "B";
    fake.polls[1] = "rF";
    fake.messages[0] = "first failed\n";
    fake.messages[1] = "second failed\n\tbadly\n";
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_FAILED);
    CHECK(t, err.status == IMIG_E_LOST);
    CHECK(t, strcmp(imig_pq_message(c), "first failed\nsecond failed\n\tbadly") == 0);
    CHECK(t, strcmp(fake.tried[1], "/b||5432|") == 0);
    CHECK(t, imig_pq_is_broken(c) && imig_pq_raw(c) == NULL && imig_pq_fd(c) == -1);
    imig_pq_free(c);
    check_nothing_left(t);
}

/* The server refused the user: no other host is asked. */
static void
test_refused(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    fake.host = "/a,/b";
    fake.polls[0] = "rF";
    fake.messages[0] = "connection to x failed: FATAL:  28P01: password authentication "
                       "failed for user \"u\"\n"
                       "LOCATION:  auth_failed, auth.c:335\n";
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_FAILED);
    CHECK(t, fake.attempts == 1);
    CHECK(t, strcmp(imig_pq_sqlstate(c), "28P01") == 0);
    CHECK(t, strcmp(imig_pq_message(c),
                    "connection to x failed: FATAL:  password authentication failed "
                    "for user \"u\"") == 0);
    imig_pq_free(c);
    check_nothing_left(t);
}

/* A server that is starting: the next host, not the next address of this one. */
static void
test_starting(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    fake.host = "h,h,g";
    fake.hostaddr = "10.0.0.1,10.0.0.2,10.0.0.3";
    fake.polls[0] = "rF";
    fake.messages[0] = "FATAL:  57P03: the database system is starting up\n";
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_DONE);
    CHECK(t, fake.attempts == 2);
    CHECK(t, strcmp(fake.tried[1], "g|10.0.0.3||") == 0);
    imig_pq_free(c);
    check_nothing_left(t);
}

static void
test_texts_that_look_like_it(imig_test *t)
{
    static const char *const SAME[] = {
        "could not translate: 28P01: x",    "FATAL:  28p01: x", "FATAL:  28P0: x",
        "LOCATION:  f, file.c:x",           "file.c:1",         ":  .c:1",
        "connection to \"a.c:1\": refused",
    };
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
        imig_error err;
        imig_pq_conn *c;
        fake_reset();
        fake.polls[0] = "F";
        fake.messages[0] = SAME[i];
        CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_FAILED);
        CHECK(t, strcmp(imig_pq_message(c), SAME[i]) == 0);
        CHECK(t, imig_pq_sqlstate(c)[0] == '\0');
        imig_pq_free(c);
    }
}

static void
test_prefer_standby(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    fake.host = "/a,/b";
    fake.target = "prefer-standby";
    fake.polls[0] = fake.polls[1] = fake.polls[2] = "F";
    fake.messages[0] = fake.messages[1] = "server is not in hot standby mode\n";
    fake.messages[2] = "gone\n";
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_DONE);
    CHECK(t, strcmp(fake.tried[0], "/a|||standby") == 0);
    CHECK(t, strcmp(fake.tried[1], "/b|||standby") == 0);
    CHECK(t, strcmp(fake.tried[2], "/a|||any") == 0);
    CHECK(t, strcmp(fake.tried[3], "/b|||any") == 0);
    imig_pq_free(c);
    check_nothing_left(t);
}

static void
test_timeout_is_each_hosts(imig_test *t)
{
    imig_error err;
    int want = 0;
    imig_pq_conn *c = imig_pq_new();
    fake_reset();
    fake.host = "/a,10.0.0.1,g";
    fake.hostaddr = ",,10.0.0.3";
    fake.connect_timeout = "7";
    fake.polls[0] = fake.polls[1] = fake.polls[2] = "rrrrrr";
    CHECK(t, imig_pq_connect_start(c, KEYWORDS, VALUES, &err) == IMIG_OK);
    for (int i = 0; i < 3; i++) {
        CHECK(t, imig_pq_connect_step(c, &want, &err) == IMIG_PQ_AGAIN);
        int left = imig_pq_connect_timeout_ms(c);
        CHECK(t, left > 6000 && left <= 7000);
        c->deadline_ms = imig_pq_now_ms() - 1;
        CHECK(t, imig_pq_connect_timeout_ms(c) == 0);
    }
    CHECK(t, imig_pq_connect_step(c, &want, &err) == IMIG_PQ_FAILED);
    CHECK(t, fake.attempts == 3);
    CHECK(t, strcmp(imig_pq_message(c),
                    "connection to server at \"/a\" failed: timeout expired\n"
                    "connection to server at \"10.0.0.1\" failed: timeout expired\n"
                    "connection to server at \"g\" (10.0.0.3) failed: timeout "
                    "expired") == 0);
    imig_pq_free(c);
    check_nothing_left(t);
}

static void
test_timeouts_as_text(imig_test *t)
{
    static const struct {
        const char *text;
        int ms;
    } CASES[] = {{NULL, 0}, {"", 0},     {"0", 0},      {"-3", 0},
                 {"x", 0},  {"1", 1000}, {"10", 10000}, {"9999999999", 2000000000}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        imig_error err;
        imig_pq_hosts h;
        fake_reset();
        fake.connect_timeout = CASES[i].text;
        CHECK(t, imig_pq_hosts_init(&h, KEYWORDS, VALUES, &err) == IMIG_OK);
        CHECK(t, h.timeout_ms == CASES[i].ms);
        CHECK(t, h.count == 1);
        imig_pq_hosts_clear(&h);
    }
}

/* Lists that do not add up are left to libpq, which says what is wrong. */
static void
test_lists_that_do_not_add_up(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    fake.host = "name,/b";
    fake.port = "1,2,3";
    fake.polls[0] = "B";
    fake.messages[0] = "could not match 3 port numbers to 2 hosts\n";
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_FAILED);
    CHECK(t, fake.attempts == 1);
    CHECK(t, strcmp(fake.tried[0], "|||") == 0);
    CHECK(t, strstr(imig_pq_message(c), "could not match") != NULL);
    imig_pq_free(c);
    check_nothing_left(t);
}

static void
test_load_balancing(imig_test *t)
{
    int firsts = 0;
    for (int i = 0; i < 40; i++) {
        imig_error err;
        imig_pq_hosts h;
        fake_reset();
        fake.host = "/a,/b,/c";
        fake.balance = "random";
        CHECK(t, imig_pq_hosts_init(&h, KEYWORDS, VALUES, &err) == IMIG_OK);
        char all[4] = {h.list[0].host[1], h.list[1].host[1], h.list[2].host[1], 0};
        CHECK(t, strchr(all, 'a') && strchr(all, 'b') && strchr(all, 'c'));
        firsts |= 1 << (all[0] - 'a');
        imig_pq_hosts_clear(&h);
    }
    CHECK(t, firsts == 7);
}

static void
test_names_are_looked_up(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    fake.host = "nil.invalid,localhost,/z";
    for (int i = 0; i < 3; i++)
        fake.polls[i] = "F", fake.messages[i] = "refused\n";
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_FAILED);
    CHECK(t, fake.attempts >= 2);
    CHECK(t, strstr(imig_pq_message(c), "could not translate host name \"nil.invalid\" "
                                        "to address: ") == imig_pq_message(c));
    CHECK(t, strstr(fake.tried[0], "localhost|127.0.0.1||") != NULL ||
                 strstr(fake.tried[0], "localhost|::1||") != NULL);
    imig_pq_free(c);
    check_nothing_left(t);
}

/* Given up while a name is being looked up: the thread cleans up after itself. */
static void
test_look_up_given_up(imig_test *t)
{
    for (int i = 0; i < 20; i++) {
        imig_error err;
        imig_pq_conn *c = imig_pq_new();
        fake_reset();
        fake.host = "localhost";
        CHECK(t, imig_pq_connect_start(c, KEYWORDS, VALUES, &err) == IMIG_OK);
        CHECK(t, c->resolving != NULL && imig_pq_fd(c) >= 0);
        imig_pq_free(c);
    }
    pause_ms(300);
    check_nothing_left(t);
}

static void
test_child_of_a_fork(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_DONE);
    CHECK(t, imig_pq_is_ours(c));
    pid_t pid = fork();
    if (pid == 0) {
        bool foreign = !imig_pq_is_ours(c);
        imig_pq_abort(c);
        imig_pq_free(c);
        _exit(foreign && fake.finished == 0 ? 0 : 1);
    }
    int status = -1;
    CHECK(t, waitpid(pid, &status, 0) == pid && status == 0);
    imig_pq_free(c);
    CHECK(t, fake.finished == 1);
}

static void
test_not_nonblocking(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c;
    fake_reset();
    fake.nonblocking_fails = true;
    CHECK(t, connect_all(t, &c, &err) == IMIG_PQ_FAILED);
    CHECK(t, imig_pq_is_broken(c));
    imig_pq_free(c);
    check_nothing_left(t);
}

/* The body of the sweep: two hosts, the first fails, or whatever memory allows. */
static void
sweep_connect(imig_test *t, void *arg)
{
    imig_error err = {0};
    fake_reset();
    fake.host = arg;
    fake.connect_timeout = "5";
    fake.polls[0] = "F";
    fake.messages[0] = "FATAL:  57P03: starting\n";
    imig_pq_conn *c = imig_pq_new();
    if (c == NULL)
        return;
    imig_status st = imig_pq_connect_start(c, KEYWORDS, VALUES, &err);
    if (st == IMIG_OK && finish_connecting(c, &err) == IMIG_PQ_DONE)
        CHECK(t, imig_pq_get_phase(c) == IMIG_PQ_READY);
    else
        CHECK(t, err.status != IMIG_OK);
    /* A thread may be the last to free. */
    if (c->resolving != NULL)
        pause_ms(20);
    imig_pq_free(c);
    check_nothing_left(t);
}

static void
test_probe_fails(imig_test *t)
{
    imig_error err;
    imig_pq_conn *c = imig_pq_new();
    fake_reset();
    fake.no_probe = true;
    CHECK(t, imig_pq_connect_start(c, KEYWORDS, VALUES, &err) == IMIG_E_NOMEM);
    imig_pq_free(c);
    imig_pq_free(NULL);
    check_nothing_left(t);
}

int
main(void)
{
    imig_test t = {0, 0};
    test_waits(&t);
    test_hosts_in_order(&t);
    test_all_hosts_fail(&t);
    test_refused(&t);
    test_starting(&t);
    test_texts_that_look_like_it(&t);
    test_prefer_standby(&t);
    test_timeout_is_each_hosts(&t);
    test_timeouts_as_text(&t);
    test_lists_that_do_not_add_up(&t);
    test_load_balancing(&t);
    test_names_are_looked_up(&t);
    test_look_up_given_up(&t);
    test_child_of_a_fork(&t);
    test_not_nonblocking(&t);
    test_probe_fails(&t);
    CHECK(&t, imig_test_sweep(&t, sweep_connect, (char[]){"/a,/b"}) > 15);
    CHECK(&t, imig_test_sweep(&t, sweep_connect, (char[]){"localhost,/b"}) > 15);
    return imig_test_end(&t, "pq_connect");
}
