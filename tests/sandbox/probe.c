/* probe.c - a builder that tries what no builder should be able to do.

   usage: probe WHAT OUT [ARGUMENT]

   Most words write what they found to OUT, a line each; others misbehave. `does` obeys: `mkdir PATH ''`, `write PATH TEXT`,
   `copy FROM TO`, `fork COUNT BYTES`, `fill BYTES ''`, `file PATH BYTES`, `wait '' ''`, three words each.  */

#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>

#define SYS_read 0
#define SYS_open 2
#define SYS_lstat 6
#define SYS_pause 34
#define SYS_getpid 39
#define SYS_socket 41
#define SYS_connect 42
#define SYS_sendmsg 46
#define SYS_clone 56
#define SYS_fork 57
#define SYS_exit 60
#define SYS_kill 62
#define SYS_uname 63
#define SYS_rename 82
#define SYS_mkdir 83
#define SYS_rmdir 84
#define SYS_creat 85
#define SYS_link 86
#define SYS_unlink 87
#define SYS_symlink 88
#define SYS_chmod 90
#define SYS_fchmod 91
#define SYS_getuid 102
#define SYS_getgid 104
#define SYS_mknod 133
#define SYS_personality 135
#define SYS_ptrace 101
#define SYS_chroot 161
#define SYS_sethostname 170
#define SYS_setxattr 188
#define SYS_sched_getaffinity 204
#define SYS_getdents64 217
#define SYS_unshare 272
#define SYS_keyctl 250
#define SYS_openat 257
#define SYS_mkdirat 258
#define SYS_mknodat 259
#define SYS_fchmodat 268
#define SYS_io_uring_setup 425
#define SYS_clone3 435
#define SYS_openat2 437
#define SYS_fchmodat2 452
#define X32 0x40000000

#define AT_FDCWD -100L
#define UNNAMED 020200000L
#define NEW_MOUNTS 0x20000L
#define NEW_USER 0x10000000L

static FILE *out;

/* Prints what a call answered: ok, or the number of the error. */
static void answer(char *name, long result)
{
    if (result >= 0) fprintf(out, "%s: ok\n", name);
    else fprintf(out, "%s: %d\n", name, (int)-result);
}

/* ---- what is in view ---- */

static char kind_of(char *path, int *mode)
{
    static unsigned int stat[36];
    if (__syscall(SYS_lstat, path, stat) < 0) return '?';
    *mode = stat[6] & 07777;
    switch (stat[6] >> 12) {
    case 1: return 'p';
    case 2: return 'c';
    case 4: return 'd';
    case 8: return 'f';
    case 10: return 'l';
    case 12: return 's';
    }
    return '?';
}

static void list(char *folder)
{
    char *buffer = malloc(65536);
    char *names[512];
    int count = 0, i, j;
    long n, at;
    int fd = open(folder, O_RDONLY);
    if (fd < 0) { fprintf(out, "%s: closed\n", folder); return; }
    while ((n = __syscall(SYS_getdents64, (long)fd, buffer, 65536L)) > 0)
        for (at = 0; at < n; at += *(unsigned short *)(buffer + at + 16)) {
            char *name = buffer + at + 19;
            if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
            names[count] = malloc(strlen(name) + 1);
            strcpy(names[count++], name);
        }
    close(fd);
    for (i = 0; i < count; i++)
        for (j = i + 1; j < count; j++)
            if (strcmp(names[i], names[j]) > 0) { char *t = names[i]; names[i] = names[j]; names[j] = t; }
    for (i = 0; i < count; i++) {
        char path[1024];
        int mode = 0;
        char kind;
        sprintf(path, "%s/%s", strcmp(folder, "/") ? folder : "", names[i]);
        kind = kind_of(path, &mode);
        fprintf(out, "%c %d%d%d%d %s\n", kind, mode >> 9, mode >> 6 & 7, mode >> 3 & 7, mode & 7, path);
        if (kind == 'd' && strcmp(path, "/proc") != 0) list(path);
    }
}

/* Whether anything is to be read in a file of the kernel's. */
static void tell_if_empty(char *path)
{
    static char buffer[4096];
    long fd = __syscall(SYS_open, path, (long)O_RDONLY, 0L);
    if (fd < 0) { fprintf(out, "%s: closed\n", path); return; }
    fprintf(out, "%s: %s\n", path, __syscall(SYS_read, fd, buffer, 4096L) == 0 ? "empty" : "text");
    close(fd);
}

/* What the kernel has in /proc beside processes; of COUNT files there, whether they are empty. */
static void proc(int count, char **files)
{
    char *buffer = malloc(65536);
    long n, at;
    int fd = open("/proc", O_RDONLY);
    while ((n = __syscall(SYS_getdents64, (long)fd, buffer, 65536L)) > 0)
        for (at = 0; at < n; at += *(unsigned short *)(buffer + at + 16)) {
            char *name = buffer + at + 19;
            if (name[0] != '.' && (name[0] < '0' || name[0] > '9')) fprintf(out, "/proc/%s\n", name);
        }
    close(fd);
    while (count-- > 0) tell_if_empty(*files++);
}

/* How many processors this process is told to use. Its libc knows of no environment. */
static char *told_cores(void)
{
    static char buffer[16384];
    char *name = "NIX_BUILD_CORES=", *at = buffer;
    int fd = open("/proc/self/environ", O_RDONLY);
    long n = __syscall(SYS_read, (long)fd, buffer, 16383L);
    close(fd);
    for (; at < buffer + n; at += strlen(at) + 1)
        if (strncmp(at, name, 16) == 0) return at + 16;
    return "nothing";
}

static void identity(void)
{
    static char names[6 * 65];
    static unsigned char mask[1024];
    long n = __syscall(SYS_sched_getaffinity, 0L, 1024L, mask);
    int i, processors = 0;
    fprintf(out, "user %d group %d\n", (int)__syscall(SYS_getuid), (int)__syscall(SYS_getgid));
    __syscall(SYS_uname, names);
    fprintf(out, "host %s\n", names + 65);
    fprintf(out, "addresses fixed: %d\n", (int)(__syscall(SYS_personality, 0xffffffffL) >> 18 & 1));
    for (i = 0; i < n * 8; i++) processors += mask[i / 8] >> i % 8 & 1;
    fprintf(out, "processors %d, told to use %s\n", processors, told_cores());
}

/* ---- what must not work ---- */

/* Files with set-id bits, made with each call that gives a mode; `base` tells the table of calls. */
static void make_set_id(char *table, long base)
{
    static char name[100];
    static long how[3] = { O_WRONLY | O_CREAT, 04755, 0 };
    char *new = "/build/new";

#define TRY(what, result) (sprintf(name, "%s%s", table, what), answer(name, (result)))
    TRY("open set-uid", __syscall(base + SYS_open, new, (long)(O_WRONLY | O_CREAT), 04755L));
    TRY("open set-gid", __syscall(base + SYS_open, new, (long)(O_WRONLY | O_CREAT), 02755L));
    TRY("open unnamed set-uid", __syscall(base + SYS_open, "/build", O_WRONLY | UNNAMED, 04755L));
    TRY("openat set-uid", __syscall(base + SYS_openat, AT_FDCWD, new, (long)(O_WRONLY | O_CREAT), 04755L));
    TRY("openat unnamed set-gid", __syscall(base + SYS_openat, AT_FDCWD, "/build", O_WRONLY | UNNAMED, 02755L));
    TRY("openat2 set-uid", __syscall(base + SYS_openat2, AT_FDCWD, new, how, 24L));
    TRY("creat set-uid", __syscall(base + SYS_creat, new, 04755L));
    TRY("mknod set-uid", __syscall(base + SYS_mknod, new, 0104755L, 0L));
    TRY("mknodat set-gid", __syscall(base + SYS_mknodat, AT_FDCWD, new, 0102755L, 0L));
}

/* What mode a folder gets that is made with set-id bits. */
static void make_folder(char *name, long result)
{
    int mode = 0;
    answer(name, result);
    kind_of("/build/folder", &mode);
    fprintf(out, "its mode: %d%d%d%d\n", mode >> 9, mode >> 6 & 7, mode >> 3 & 7, mode & 7);
    __syscall(SYS_rmdir, "/build/folder");
}

/* What only a namespace of its own gives the rights to. */
static void nest(void)
{
    static long wanted[8] = { NEW_USER, 0, 0, 0, 17 };
    long child;
    answer("unshare mounts", __syscall(SYS_unshare, NEW_MOUNTS));
    answer("unshare user", __syscall(SYS_unshare, NEW_USER));
    answer("unshare user and mounts", __syscall(SYS_unshare, NEW_USER | NEW_MOUNTS));
    child = __syscall(SYS_clone, NEW_USER | 17, 0L, 0L, 0L, 0L);
    if (child == 0) __syscall(SYS_exit, 0L);
    answer("clone user", child);
    child = __syscall(SYS_clone3, wanted, 64L);
    if (child == 0) __syscall(SYS_exit, 0L);
    answer("clone3 user", child);
    answer("x32 unshare user", __syscall(X32 + SYS_unshare, NEW_USER));
    answer("allow user namespaces", __syscall(SYS_open, "/proc/sys/user/max_user_namespaces", (long)O_WRONLY, 0L));
    /* Had one been made, these would work now. */
    answer("unshare mounts after that", __syscall(SYS_unshare, NEW_MOUNTS));
    answer("sethostname after that", __syscall(SYS_sethostname, "x", 1L));
    answer("chroot after that", __syscall(SYS_chroot, "/build"));
}

/* To those who listen outside: at the abstract socket NAME, at PORT of the loopback interface. */
static void connect_outside(char *name, int port)
{
    static unsigned char elsewhere[16] = { 2, 0, 0, 53, 192, 0, 2, 1 };
    static unsigned char loopback[16] = { 2, 0, 0, 0, 127, 0, 0, 1 };
    static unsigned char abstract[110] = { 1, 0 };
    static int files[6] = { 20, 0, 1, 1, 0, 0 };
    static char byte[1] = { 'x' };
    static long piece[2], message[7];
    int fd = __syscall(SYS_socket, 2L, 1L, 0L);
    answer("connect to elsewhere", __syscall(SYS_connect, (long)fd, elsewhere, 16L));
    loopback[2] = port >> 8;
    loopback[3] = port & 255;
    answer("connect to the host's loopback", __syscall(SYS_connect, (long)fd, loopback, 16L));
    fd = __syscall(SYS_socket, 1L, 1L, 0L);
    strcpy((char *)abstract + 3, name);
    answer("connect to an abstract socket", __syscall(SYS_connect, (long)fd, abstract, 3L + strlen(name)));
    piece[0] = (long)byte;
    piece[1] = 1;
    files[4] = fd;
    message[2] = (long)piece;
    message[3] = 1;
    message[4] = (long)files;
    message[5] = 24;
    answer("pass a descriptor out", __syscall(SYS_sendmsg, (long)fd, message, 0L));
}

static void escapes(char *input, char *listener, char *port)
{
    char file[512];
    int fd;
    long pid = __syscall(SYS_getpid);

    strcpy(file, "/build/file");
    close(open(file, O_WRONLY | O_CREAT, 0644));
    fd = open(file, O_WRONLY, 0);
    answer("chmod set-uid", __syscall(SYS_chmod, file, 04755L));
    answer("chmod set-gid", __syscall(SYS_chmod, file, 02755L));
    answer("fchmod set-uid", __syscall(SYS_fchmod, (long)fd, 04755L));
    answer("fchmodat set-uid", __syscall(SYS_fchmodat, AT_FDCWD, file, 04755L));
    answer("fchmodat2 set-uid", __syscall(SYS_fchmodat2, AT_FDCWD, file, 04755L, 0L));
    answer("chmod plain", __syscall(SYS_chmod, file, 0755L));
    answer("x32 chmod set-uid", __syscall(X32 + SYS_chmod, file, 04755L));
    make_set_id("", 0L);
    make_set_id("x32 ", (long)X32);
    make_folder("mkdir set-id", __syscall(SYS_mkdir, "/build/folder", 06755L));
    make_folder("mkdirat set-id", __syscall(SYS_mkdirat, AT_FDCWD, "/build/folder", 06755L));
    /* No mode is read there: what the register holds doesn't matter. */
    answer("open without making", __syscall(SYS_open, file, (long)O_RDONLY, 06755L));
    answer("openat without making", __syscall(SYS_openat, AT_FDCWD, file, (long)O_RDONLY, 06755L));
    answer("setxattr", __syscall(SYS_setxattr, file, "user.x", "y", 1L));
    answer("mknod device", __syscall(SYS_mknod, "/build/null", 020666L, 259L));
    answer("chroot", __syscall(SYS_chroot, "/build"));
    answer("sethostname", __syscall(SYS_sethostname, "x", 1L));
    answer("keyctl", __syscall(SYS_keyctl, 0L, -3L, 0L));
    answer("io_uring", __syscall(SYS_io_uring_setup, 1L, NULL));
    answer("ptrace the first process", __syscall(SYS_ptrace, 16L, 1L, 0L, 0L));
    answer("kill the first process, which has no effect", __syscall(SYS_kill, 1L, 9L));
    answer("its environment", __syscall(SYS_open, "/proc/1/environ", (long)O_RDONLY, 0L));
    answer("its memory", __syscall(SYS_open, "/proc/1/mem", (long)O_RDONLY, 0L));
    answer("its command line", __syscall(SYS_open, "/proc/1/cmdline", (long)O_RDONLY, 0L));
    answer("its root", __syscall(SYS_open, "/proc/1/root", (long)O_RDONLY, 0L));
    answer("kernel setting", __syscall(SYS_open, "/proc/sys/kernel/core_pattern", (long)O_WRONLY, 0L));
    answer("kernel trigger", __syscall(SYS_open, "/proc/sysrq-trigger", (long)O_WRONLY, 0L));
    answer("write an input", __syscall(SYS_open, input, (long)O_WRONLY, 0L));
    answer("chmod an input", __syscall(SYS_chmod, input, 0755L));
    answer("delete an input", __syscall(SYS_unlink, input));
    answer("rename an input", __syscall(SYS_rename, input, "/sx/store/moved"));
    answer("link an input", __syscall(SYS_link, input, "/build/link"));
    answer("write to the root", __syscall(SYS_mkdir, "/new", 0755L));
    answer("write to /etc", __syscall(SYS_open, "/etc/passwd", (long)O_WRONLY, 0L));
    answer("chmod a device", __syscall(SYS_chmod, "/dev/null", 0600L));
    answer("delete a device", __syscall(SYS_unlink, "/dev/null"));
    connect_outside(listener, atoi(port));
    fprintf(out, "number is small: %d\n", pid < 10);
    nest();
}

/* ---- what it is told to do ---- */

static int copy(char *from, char *to)
{
    static char buffer[65536];
    long n;
    int in = open(from, O_RDONLY), made = open(to, O_WRONLY | O_CREAT, 0644);
    if (in < 0 || made < 0) return 1;
    while ((n = __syscall(SYS_read, (long)in, buffer, 65536L)) > 0)
        if (write(made, buffer, n) != n) return 1;
    return close(made) != 0 || close(in) != 0;
}

static int fill_memory(long bytes)
{
    long at;
    volatile char *memory = malloc(bytes);
    if (!memory) { printf("no memory\n"); return 1; }
    for (at = 0; at < bytes; at += 4096) memory[at] = 1;
    return 0;
}

/* Makes COUNT processes that fill so much memory and wait for ever. The kernel may refuse some of them. */
static int fork_many(long count, long bytes)
{
    while (count-- > 0)
        if (__syscall(SYS_fork) == 0) {
            fill_memory(bytes);
            for (;;) __syscall(SYS_pause);
        }
    return 0;
}

static int make_file(char *path, long bytes)
{
    static char buffer[65536];
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0) return 1;
    memset(buffer, 'x', 65536);
    while (bytes > 0) {
        long n = write(fd, buffer, bytes < 65536 ? bytes : 65536);
        if (n <= 0) { printf("write fails\n"); return 1; }
        bytes -= n;
    }
    return close(fd) != 0;
}

static int does(char **word)
{
    for (; word[0]; word += 3) {
        int failed = 2;
        if (strcmp(word[0], "mkdir") == 0) failed = __syscall(SYS_mkdir, word[1], 0755L) < 0;
        else if (strcmp(word[0], "fork") == 0) failed = fork_many(atoi(word[1]), atoi(word[2]));
        else if (strcmp(word[0], "fill") == 0) failed = fill_memory(atoi(word[1]));
        else if (strcmp(word[0], "wait") == 0) for (;;) __syscall(SYS_pause);
        else if (strcmp(word[0], "copy") == 0) failed = copy(word[1], word[2]);
        else if (strcmp(word[0], "file") == 0) failed = make_file(word[1], atoi(word[2]));
        else if (strcmp(word[0], "write") == 0) {
            int fd = open(word[1], O_WRONLY | O_CREAT, 0644);
            failed = fd < 0 || write(fd, word[2], strlen(word[2])) != strlen(word[2]) || close(fd) != 0;
        }
        if (failed) { printf("cannot %s %s\n", word[0], word[1]); return failed; }
    }
    return 0;
}

/* ---- calls of i386, whose addresses have 32 bits ---- */

static long i386(long number, long first, long second, long third, long fourth)
{
    long result;
    __asm__ volatile ("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth));
    return (int)result;
}

static char low_path[] = "/build/low", low_folder[] = "/build";

static void i386_calls(void)
{
    static long how[3] = { O_WRONLY | O_CREAT, 04755, 0 };
    long file = (long)low_path, create = O_WRONLY | O_CREAT;
    int fd = open(low_path, O_WRONLY | O_CREAT, 0644);
    answer("i386 chmod set-uid", i386(15L, file, 04755L, 0L, 0L));
    answer("i386 fchmod set-uid", i386(94L, (long)fd, 04755L, 0L, 0L));
    answer("i386 fchmodat set-uid", i386(306L, AT_FDCWD, file, 04755L, 0L));
    answer("i386 fchmodat2 set-uid", i386(452L, AT_FDCWD, file, 04755L, 0L));
    close(fd);
    __syscall(SYS_unlink, low_path);
    answer("i386 open set-uid", i386(5L, file, create, 04755L, 0L));
    answer("i386 open unnamed set-uid", i386(5L, (long)low_folder, O_WRONLY | UNNAMED, 04755L, 0L));
    answer("i386 openat set-uid", i386(295L, AT_FDCWD, file, create, 04755L));
    answer("i386 openat2 set-uid", i386(437L, AT_FDCWD, file, (long)how, 24L));
    answer("i386 creat set-uid", i386(8L, file, 04755L, 0L, 0L));
    answer("i386 mknod set-uid", i386(14L, file, 0104755L, 0L, 0L));
    answer("i386 mknodat set-uid", i386(297L, AT_FDCWD, file, 0104755L, 0L));
    answer("i386 mkdir", i386(39L, file, 0755L, 0L, 0L));
    answer("i386 unshare user", i386(310L, 0x10000000L, 0L, 0L, 0L));
}

int main(int argc, char **argv)
{
    char *what = argv[1];
    char *path = argv[2];

    if (strcmp(what, "nothing") == 0) return 0;
    if (strcmp(what, "does") == 0) return does(argv + 3);
    if (strcmp(what, "fails") == 0) { printf("first line\nlast words\n"); return 7; }
    if (strcmp(what, "loops") == 0) for (;;) ;
    if (strcmp(what, "speaks") == 0) { write(1, "half way\n", 9); for (;;) __syscall(SYS_pause); }
    if (strcmp(what, "floods") == 0) for (;;) printf("more and more and more and more and more and more\n");
    if (strcmp(what, "fifo") == 0) return __syscall(SYS_mknod, path, 010644L, 0L) < 0;
    if (strcmp(what, "stranger") == 0) {
        close(open(path, O_WRONLY | O_CREAT, 0644));
        return open("/sx/store/stranger", O_WRONLY | O_CREAT, 0644) < 0;
    }
    if (strcmp(what, "closed") == 0) {
        char file[1024];
        __syscall(SYS_mkdir, path, 0755L);
        sprintf(file, "%s/file", path);
        close(open(file, O_WRONLY | O_CREAT, 0000));
        return __syscall(SYS_chmod, path, 0L) < 0;
    }
    if (strcmp(what, "link-out") == 0) return __syscall(SYS_symlink, "/etc/shadow", path) < 0;
    if (strcmp(what, "daemon") == 0) {
        close(open(path, O_WRONLY | O_CREAT, 0644));
        if (__syscall(SYS_fork) == 0) {
            /* Goes on after its parent, and changes the output as long as it lives. */
            for (;;) {
                int fd = open(path, O_WRONLY, 0);
                write(fd, "changed", 7);
                close(fd);
            }
        }
        return 0;
    }
    out = fopen(path, "w");
    if (strcmp(what, "view") == 0) list("/");
    else if (strcmp(what, "proc") == 0) proc(argc - 4, argv + 4);
    else if (strcmp(what, "identity") == 0) identity();
    else if (strcmp(what, "escapes") == 0) escapes(argv[3], argv[4], argv[5]);
    else if (strcmp(what, "i386") == 0) i386_calls();
    else return 2;
    return fclose(out) != 0;
}
