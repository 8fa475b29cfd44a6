/* libc.c - the C library of the bootstrap: what tcc calls, and a little that first programs need.

   It is compiled with the program that uses it, after start.S, without any other library:
       tcc -nostdinc -nostdlib -static -Iinclude -o PROGRAM start.S libc.c program.c libtcc1.c va_list.c
   (the last two are tcc's own, for va_arg and for what the machine has no instruction for). All its
   headers are include/libc.h.

   The compiler that compiles it first has few floating operations: no floating constants, no float
   conditions. Hence numbers here become floating through a variable.

   A failed write is never silent: exit() writes out stdout and turns exit code 0 into 1 if any write to
   any file failed, also one that the program didn't look at. (tcc itself checks none of its own.)

   Left out: reading with stdin, threads, locales, wide characters, the environment (environ is NULL),
   the clock (always 0, so that no date gets into an output), executing programs, reusing freed memory,
   other signals and times. assert() does nothing. printf knows d i u o x X p c s %, the flags - and 0,
   width, precision (30 digits), and the sizes h l z; what it doesn't know it prints as it stands.  */

#include "libc.h"

int errno;

static long result(long n)
{
    if (n < 0 && n > -4096) {
        errno = -n;
        return -1;
    }
    return n;
}

/* ---- files ---- */

int open(const char *path, int flags, ...)
{
    va_list ap;
    long mode = 0;
    va_start(ap, flags);
    if (flags & O_CREAT) mode = va_arg(ap, int);
    va_end(ap);
    return result(__syscall(2L, path, (long)flags, mode));
}

ssize_t read(int fd, void *p, size_t n) { return result(__syscall(0L, (long)fd, p, n)); }
ssize_t write(int fd, const void *p, size_t n) { return result(__syscall(1L, (long)fd, p, n)); }
int close(int fd) { return result(__syscall(3L, (long)fd)); }
long lseek(int fd, long at, int from) { return result(__syscall(8L, (long)fd, at, (long)from)); }
int unlink(const char *path) { return result(__syscall(87L, path)); }
int remove(const char *path) { return unlink(path); }
int execvp(const char *path, char *const *argv) { return -1; }
int mprotect(void *p, size_t n, int mode) { return result(__syscall(10L, p, n, (long)mode)); }
char **environ;

char *getcwd(char *p, size_t n)
{
    if (n < 2) return NULL;
    strcpy(p, "/");
    return p;
}

static FILE out = {1}, err = {2};
FILE *stdin, *stdout = &out, *stderr = &err;
static int write_failed;        /* some write of this program did */

FILE *fdopen(int fd, const char *mode)
{
    FILE *f = malloc(sizeof(FILE));
    if (f == NULL) return NULL;
    f->fd = fd;
    f->n = 0;
    return f;
}

FILE *fopen(const char *path, const char *mode)
{
    int flags = O_RDONLY;
    int fd;
    if (*mode == 'w') {
        unlink(path);
        flags = O_CREAT | O_TRUNC | (strchr(mode, '+') ? O_RDWR : O_WRONLY);
    }
    fd = open(path, flags, 0644);
    return fd < 0 ? NULL : fdopen(fd, mode);
}

int fflush(FILE *f)             /* what cannot be written is dropped, and remembered as a failure */
{
    int i = 0, failed = 0;
    if (f == NULL) return 0;
    while (i < f->n && !failed) {
        long n = write(f->fd, f->buf + i, f->n - i);
        if (n <= 0) failed = EOF;
        else i += n;
    }
    f->n = 0;
    if (failed) write_failed = 1;
    return failed;
}

int fclose(FILE *f)
{
    int failed = fflush(f);
    if (close(f->fd) < 0) failed = EOF;
    return failed;
}

int fputc(int c, FILE *f)
{
    if (f->n == sizeof(f->buf) && fflush(f)) return EOF;
    f->buf[f->n++] = c;
    return c & 255;
}

size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
    const char *s = p;
    size_t i;
    for (i = 0; i < size * n; i++) if (fputc(s[i], f) == EOF) return i / size;
    return n;
}

int fputs(const char *s, FILE *f)
{
    size_t n = strlen(s);
    if (fwrite(s, 1, n, f) < n) return EOF;
    return f == stderr ? fflush(f) : 0;
}

int putchar(int c) { return fputc(c, stdout); }
int puts(const char *s) { return fputs(s, stdout) || fputc('\n', stdout) == EOF ? EOF : 0; }

size_t fread(void *p, size_t size, size_t n, FILE *f)
{
    char *s = p;
    size_t done = 0;
    long k = 1;
    while (done < size * n && k > 0) {
        k = read(f->fd, s + done, size * n - done);
        if (k > 0) done += k;
    }
    return size ? done / size : 0;
}

int fseek(FILE *f, long at, int from)
{
    fflush(f);
    return lseek(f->fd, at, from) < 0 ? -1 : 0;
}

long ftell(FILE *f)
{
    fflush(f);
    return lseek(f->fd, 0, SEEK_CUR);
}

/* ---- printf ---- */

int vsnprintf(char *to, size_t size, const char *f, va_list ap)
{
    size_t n = 0;
    char num[32];
    for (; *f; f++) {
        char *s = num + 31;             /* digits are put in front of it */
        const char *start = f;
        int left = 0, zero = 0, width = 0, prec = -1, longs = 0, neg = 0, k;
        unsigned long u;
        if (*f != '%') {
            if (n + 1 < size) to[n] = *f;
            n++;
            continue;
        }
        f++;
        for (; *f == '-' || *f == '0'; f++) {
            if (*f == '-') left = 1;
            if (*f == '0') zero = 1;
        }
        if (*f == '*') { width = va_arg(ap, int); f++; }
        else for (; *f >= '0' && *f <= '9'; f++) width = width * 10 + *f - '0';
        if (*f == '.') {
            prec = 0;
            f++;
            if (*f == '*') { prec = va_arg(ap, int); f++; }
            else for (; *f >= '0' && *f <= '9'; f++) prec = prec * 10 + *f - '0';
        }
        for (; *f == 'l' || *f == 'z' || *f == 'h'; f++) if (*f != 'h') longs = 1;
        *s = 0;
        if (*f == 's') {
            s = va_arg(ap, char *);
            if (s == NULL) s = "(null)";
            for (k = 0; s[k] && k != prec; k++) ;
        } else if (*f == 'c') {
            *--s = va_arg(ap, int);
            k = 1;
        } else if (*f == '%') {
            *--s = '%';
            k = 1;
        } else if (*f == 0 || strchr("diuoxXp", *f) == NULL) {
            s = (char *)start;          /* not known: as it stands */
            if (*f == 0) f--;
            k = f + 1 - start;
        } else {
            int base = *f == 'x' || *f == 'X' || *f == 'p' ? 16 : *f == 'o' ? 8 : 10;
            if (longs || *f == 'p') u = va_arg(ap, unsigned long);
            else if (*f == 'd' || *f == 'i') u = va_arg(ap, int);
            else u = va_arg(ap, unsigned int);
            if ((*f == 'd' || *f == 'i') && (long)u < 0) { neg = 1; u = -u; }
            do {
                *--s = (*f == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
                u /= base;
            } while (u);
            while (num + 31 - s < prec && s > num + 1) *--s = '0';
            if (zero && !left) while (num + 31 - s + neg < width && s > num + 1) *--s = '0';
            if (neg) *--s = '-';
            k = num + 31 - s;
        }
        if (!left) for (; width > k; width--) { if (n + 1 < size) to[n] = ' '; n++; }
        width -= k;
        for (; k > 0; k--) { if (n + 1 < size) to[n] = *s; n++; s++; }
        for (; width > 0; width--) { if (n + 1 < size) to[n] = ' '; n++; }
    }
    if (size) to[n < size ? n : size - 1] = 0;
    return n;
}

int snprintf(char *to, size_t size, const char *f, ...)
{
    va_list ap;
    int n;
    va_start(ap, f);
    n = vsnprintf(to, size, f, ap);
    va_end(ap);
    return n;
}

int sprintf(char *to, const char *f, ...)
{
    va_list ap;
    int n;
    va_start(ap, f);
    n = vsnprintf(to, 65536, f, ap);
    va_end(ap);
    return n;
}

static char line[65536];

int vfprintf(FILE *file, const char *f, va_list ap)     /* a longer text is a failure */
{
    int n = vsnprintf(line, sizeof(line), f, ap);
    if (n >= (int)sizeof(line)) { write_failed = 1; return EOF; }
    if (fwrite(line, 1, n, file) < n) return EOF;
    if (file == stderr && fflush(file)) return EOF;
    return n;
}

int fprintf(FILE *file, const char *f, ...)
{
    va_list ap;
    int n;
    va_start(ap, f);
    n = vfprintf(file, f, ap);
    va_end(ap);
    return n;
}

int printf(const char *f, ...)
{
    va_list ap;
    int n;
    va_start(ap, f);
    n = vfprintf(stdout, f, ap);
    va_end(ap);
    return n;
}

int sscanf(const char *s, const char *f, ...)   /* "%d.%d.%d" */
{
    va_list ap;
    int n = 0;
    char *end;
    va_start(ap, f);
    for (; *f; f++) {
        if (*f == '%') {
            *va_arg(ap, int *) = strtol(s, &end, 10);
            if (end == s) break;
            s = end;
            n++;
            f++;
        }
        else if (*f == *s) s++;
        else break;
    }
    va_end(ap);
    return n;
}

/* ---- memory ---- */

static char *heap, *heap_end;

void *malloc(size_t n)          /* the size is kept in front; nothing is reused */
{
    char *p;
    if ((long)n < 0) return NULL;
    n = (n + 31) & -16;
    if (heap + n > heap_end) {
        if (heap == NULL) heap = (char *)((__syscall(12L, 0L) + 15) & -16);
        heap_end = heap + ((n + 0xFFFFF) & -0x100000);
        if (__syscall(12L, heap_end) < (long)heap_end) return NULL;
    }
    p = heap;
    heap += n;
    *(size_t *)p = n - 16;
    return p + 16;
}

void free(void *p) { }

void *realloc(void *old, size_t n)
{
    size_t *p = old;
    void *new;
    if (old && p[-2] >= n) return old;
    new = malloc(n);
    if (old && new) memcpy(new, old, p[-2]);
    return new;
}

void exit(int code)
{
    fflush(stdout);
    if (code == 0 && write_failed) code = 1;
    __syscall(60L, (long)code);
}

void abort(void) { exit(127); }
char *getenv(const char *name) { return NULL; }

/* ---- numbers ---- */

static int digit(int c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

unsigned long strtoul(const char *s, char **end, int base)
{
    unsigned long v = 0;
    int neg = 0;
    while (*s == ' ' || *s == '\t' || *s == '\n') s++;
    if (*s == '-' || *s == '+') neg = *s++ == '-';
    if ((base == 0 || base == 16) && *s == '0' && (s[1] | 32) == 'x' && digit(s[2]) < 16) {
        s += 2;
        base = 16;
    }
    if (base == 0) base = *s == '0' ? 8 : 10;
    for (; digit(*s) < base; s++) v = v * base + digit(*s);
    if (end) *end = (char *)s;
    return neg ? -v : v;
}

long strtol(const char *s, char **end, int base) { return strtoul(s, end, base); }
long long strtoll(const char *s, char **end, int base) { return strtoul(s, end, base); }
unsigned long long strtoull(const char *s, char **end, int base) { return strtoul(s, end, base); }
int atoi(const char *s) { return strtoul(s, NULL, 10); }

long double strtold(const char *s, char **end)
{
    long zero = 0, ten = 10, d;
    long double v = zero, p = ten;
    int e = 0, x = 0, neg = 0;
    while (*s == ' ') s++;
    if (*s == '-' || *s == '+') neg = *s++ == '-';
    for (; digit(*s) < 10; s++) { d = digit(*s); v = v * ten + d; }
    if (*s == '.') {
        s++;
        for (; digit(*s) < 10; s++) { d = digit(*s); v = v * ten + d; e--; }
    }
    if ((*s | 32) == 'e') {
        s++;
        x = *s == '-';
        if (*s == '-' || *s == '+') s++;
        for (d = 0; digit(*s) < 10; s++) d = d * 10 + digit(*s);
        e += x ? -d : d;
    }
    for (x = e < 0 ? -e : e; x; x >>= 1) {
        if (x & 1) { if (e < 0) v = v / p; else v = v * p; }
        p = p * p;
    }
    if (end) *end = (char *)s;
    return neg ? -v : v;
}

double strtod(const char *s, char **end) { return strtold(s, end); }
float strtof(const char *s, char **end) { return strtold(s, end); }

double ldexp(double v, int e)
{
    long two = 2;
    for (; e > 0; e--) v = v * two;
    for (; e < 0; e++) v = v / two;
    return v;
}

void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    char *p = base;
    size_t gap, i, j, k;
    for (gap = n / 2; gap; gap /= 2)
        for (i = gap; i < n; i++)
            for (j = i; j >= gap && compare(p + (j - gap) * size, p + j * size) > 0; j -= gap)
                for (k = 0; k < size; k++) {
                    char c = p[j * size + k];
                    p[j * size + k] = p[(j - gap) * size + k];
                    p[(j - gap) * size + k] = c;
                }
}

/* ---- strings ---- */

void *memcpy(void *to, const void *from, size_t n)
{
    char *p = to;
    const char *q = from;
    for (; n; n--) *p++ = *q++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    char *p = to;
    const char *q = from;
    if (p < q) return memcpy(to, from, n);
    while (n--) p[n] = q[n];
    return to;
}

void *memset(void *to, int c, size_t n)
{
    char *p = to;
    for (; n; n--) *p++ = c;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;
    for (; n; n--, p++, q++) if (*p != *q) return *p - *q;
    return 0;
}

size_t strlen(const char *s)
{
    const char *p = s;
    while (*p) p++;
    return p - s;
}

char *strcpy(char *to, const char *s)
{
    memcpy(to, s, strlen(s) + 1);
    return to;
}

char *strcat(char *to, const char *s)
{
    strcpy(to + strlen(to), s);
    return to;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++) {
        if (*a != *b) return *(unsigned char *)a - *(unsigned char *)b;
        if (*a == 0) return 0;
    }
    return 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, -1); }

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++) if (*s == 0) return NULL;
    return (char *)s;
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;
    for (; ; s++) {
        if (*s == (char)c) last = s;
        if (*s == 0) return (char *)last;
    }
}

char *strstr(const char *s, const char *t)
{
    size_t n = strlen(t);
    for (; *s; s++) if (strncmp(s, t, n) == 0) return (char *)s;
    return n ? NULL : (char *)s;
}

/* ---- time: always the same ---- */

time_t time(time_t *t) { return 0; }

int gettimeofday(struct timeval *t, void *zone)
{
    t->tv_sec = 0;
    t->tv_usec = 0;
    return 0;
}

struct tm *localtime(const time_t *t)
{
    static struct tm tm;
    tm.tm_mday = 1;
    tm.tm_year = 70;
    return &tm;
}
