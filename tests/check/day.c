/* Prints what year it is, after asking for the time in every way, and waiting in every way until a moment of the day. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct timespec soon(void) {
    struct timespec moment;
    clock_gettime(CLOCK_REALTIME, &moment);
    moment.tv_nsec += 20000000;
    moment.tv_sec += moment.tv_nsec / 1000000000;
    moment.tv_nsec %= 1000000000;
    return moment;
}

static void *ask(void *told) {
    *(time_t *)told = time(NULL);
    return NULL;
}

int main(void) {
    time_t now = time(NULL), told[5];
    pthread_t thread;
    struct timeval microseconds;
    struct timespec moment;
    if (pthread_create(&thread, NULL, ask, &told[0]) || pthread_join(thread, NULL)) return 2;
    gettimeofday(&microseconds, NULL);
    told[1] = microseconds.tv_sec;
    clock_gettime(CLOCK_REALTIME_COARSE, &moment);
    told[2] = moment.tv_sec;
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &moment)) return 3;
    told[3] = moment.tv_sec;
    if (syscall(SYS_time, &told[4]) != told[4]) return 4;
    for (int at = 0; at < 5; at++)
        if (told[at] < now || told[at] > now + 600) return 10 + at;
    if (syscall(SYS_clock_gettime, CLOCK_REALTIME, 1) != -1 || errno != EFAULT) return 5;

    moment = soon();
    if (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &moment, NULL)) return 20;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
    moment = soon();
    pthread_mutex_lock(&mutex);
    if (pthread_cond_timedwait(&condition, &mutex, &moment) != ETIMEDOUT) return 21;
    struct itimerspec timer = {.it_value = soon()};
    uint64_t count;
    int descriptor = timerfd_create(CLOCK_REALTIME, 0);
    if (timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &timer, NULL)) return 22;
    if (read(descriptor, &count, sizeof count) != sizeof count) return 23;
    timer_t other;
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, NULL);
    timer.it_value = soon();
    if (timer_create(CLOCK_REALTIME, NULL, &other) || timer_settime(other, TIMER_ABSTIME, &timer, NULL)) return 24;
    if (sigwaitinfo(&alarm, NULL) != SIGALRM) return 25;

    /* Who stops stays so until it is continued. */
    int status;
    pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        _exit(7);
    }
    if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status)) return 30;
    kill(child, SIGCONT);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7) return 31;
    printf("%d\n", 1900 + gmtime(&now)->tm_year);
    return 0;
}
