/* libc.h - every header of the bootstrap's C library: <stdio.h> and the others include this one.
   The types are those of x86-64 Linux. config.h is what tcc.h asks for; it has nothing to say.  */
#ifndef LIBC_H
#define LIBC_H

#define NULL ((void *)0)
typedef unsigned long size_t;
typedef long ssize_t;
typedef long ptrdiff_t;
typedef int wchar_t;
typedef signed char int8_t;
typedef unsigned char uint8_t;
typedef short int16_t;
typedef unsigned short uint16_t;
typedef int int32_t;
typedef unsigned int uint32_t;
typedef long int64_t;
typedef unsigned long uint64_t;
typedef unsigned long uintptr_t;

#ifdef __TINYC__
typedef __builtin_va_list va_list;
#define va_start __builtin_va_start
#define va_arg __builtin_va_arg
#define va_copy __builtin_va_copy
#define va_end __builtin_va_end
#else                           /* cc.c: arguments lie in memory, one after the other */
typedef char *va_list;
#define va_start(ap, last) (ap = (char *)&(last) + 8)
#define va_arg(ap, type) (*(type *)((ap += 8) - 8))
#define va_copy(to, from) (to = from)
#define va_end(ap) ((void)0)
#endif

long __syscall();               /* number, then up to 4 arguments */
typedef long jmp_buf[8];
int setjmp(jmp_buf);
void longjmp(jmp_buf, int);

extern int errno;
#define EINTR 4
#define assert(x) ((void)0)

#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_CREAT 64
#define O_TRUNC 512
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
int open(const char *, int, ...);
ssize_t read(int, void *, size_t);
ssize_t write(int, const void *, size_t);
int close(int);
long lseek(int, long, int);
int unlink(const char *);
int remove(const char *);
char *getcwd(char *, size_t);
int execvp(const char *, char *const *);
int mprotect(void *, size_t, int);
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
extern char **environ;

typedef struct { int fd; int n; char buf[4096]; } FILE;
extern FILE *stdin, *stdout, *stderr;
#define EOF (-1)
FILE *fopen(const char *, const char *);
FILE *fdopen(int, const char *);
int fclose(FILE *);
int fflush(FILE *);
size_t fread(void *, size_t, size_t, FILE *);
size_t fwrite(const void *, size_t, size_t, FILE *);
int fputc(int, FILE *);
int fputs(const char *, FILE *);
int puts(const char *);
int putchar(int);
int fseek(FILE *, long, int);
long ftell(FILE *);
int printf(const char *, ...);
int fprintf(FILE *, const char *, ...);
int vfprintf(FILE *, const char *, va_list);
int sprintf(char *, const char *, ...);
int snprintf(char *, size_t, const char *, ...);
int vsnprintf(char *, size_t, const char *, va_list);
int sscanf(const char *, const char *, ...);

void *malloc(size_t);
void *realloc(void *, size_t);
void free(void *);
void exit(int);
void abort(void);
char *getenv(const char *);
int atoi(const char *);
long strtol(const char *, char **, int);
unsigned long strtoul(const char *, char **, int);
long long strtoll(const char *, char **, int);
unsigned long long strtoull(const char *, char **, int);
double strtod(const char *, char **);
float strtof(const char *, char **);
long double strtold(const char *, char **);
double ldexp(double, int);
void qsort(void *, size_t, size_t, int (*)(const void *, const void *));

void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
char *strcpy(char *, const char *);
char *strcat(char *, const char *);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);
char *strchr(const char *, int);
char *strrchr(const char *, int);
char *strstr(const char *, const char *);

typedef long time_t;
struct timeval { long tv_sec, tv_usec; };
struct tm { int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst; };
time_t time(time_t *);
int gettimeofday(struct timeval *, void *);
struct tm *localtime(const time_t *);

typedef int sem_t;              /* one thread only */
#define sem_init(s, shared, n) ((void)0)
#define sem_wait(s) 0
#define sem_post(s) ((void)0)

#endif
