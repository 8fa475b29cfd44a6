/* run.c - runs a list of commands; what the bootstrap has before it has a shell.

       run SCRIPT

   A line is a command: words with spaces between. A backslash at its end continues a line, # at its
   start makes it a comment. In a word, ${NAME} is the variable of that name, which must be set, and
   'quotes' keep everything as it stands. A * in the last part of a path makes the word all the names
   that fit, in the order of their bytes; one must. The commands that run itself knows:

       cd DIR             mkdir DIR             make FILE WORD   a file with the word and a line's end
       copy FROM TO       a file, or a tree into a new or existing folder; copies can be written to
       link TEXT NAME     a symbolic link

   Everything else is a program, by its path, which gets run's environment. The first command that fails
   ends it all: run prints its line's number and exits with 1. There are no conditions and no loops.  */

#include "libc.h"

#define WORDS 4096
#define LENGTH 65536

static char **environment;
static long line_number = 1;
static char *words[WORDS + 1];
static int count;

static void fail(char *what, char *name)
{
    fprintf(stderr, "run: line %ld: %s: %s\n", line_number, what, name);
    exit(1);
}

static char *variable(char *name, size_t length)
{
    char **e;
    for (e = environment; *e; e++)
        if (strncmp(*e, name, length) == 0 && (*e)[length] == '=') return *e + length + 1;
    name[length] = 0;
    fail("this variable is not set", name);
    return NULL;
}

static char *keep(char *s)
{
    char *copy = malloc(strlen(s) + 1);
    if (copy == NULL) fail("no memory for", s);
    return strcpy(copy, s);
}

static char *join(char *folder, char *name)
{
    char *path = malloc(strlen(folder) + strlen(name) + 2);
    if (path == NULL) fail("no memory for", name);
    sprintf(path, "%s/%s", folder, name);
    return path;
}

static int is_folder(char *path)
{
    char status[144];
    if (__syscall(4L, path, status) < 0) fail("is not there", path);
    return (*(int *)(status + 24) & 0170000) == 0040000;
}

static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

/* The names in a folder without . and .., sorted; a NULL ends them. */
static char **names_in(char *folder)
{
    char *buffer = malloc(LENGTH);
    char **names = malloc(WORDS * sizeof(char *));
    long n, at, found = 0;
    int fd = open(folder, O_RDONLY);
    if (fd < 0) fail("cannot open the folder", folder);
    while ((n = __syscall(217L, (long)fd, buffer, (long)LENGTH)) > 0)
        for (at = 0; at < n; at += *(unsigned short *)(buffer + at + 16)) {
            char *name = buffer + at + 19;
            if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
            if (found == WORDS - 1) fail("too many files in", folder);
            names[found++] = keep(name);
        }
    if (n < 0) fail("cannot read the folder", folder);
    close(fd);
    qsort(names, found, sizeof(char *), compare);
    names[found] = NULL;
    return names;
}

static void add(char *word)
{
    if (count == WORDS) fail("too many words", word);
    words[count++] = keep(word);
}

/* Adds the word, or what it stands for if it has a star outside of quotes. */
static void add_names(char *word, char *star)
{
    char *slash = strrchr(word, '/'), *start, **name;
    size_t before, after;
    int first = count;
    if (star == NULL) {
        add(word);
        return;
    }
    if (slash > star) fail("a * is allowed in the last part only", word);
    start = slash ? slash + 1 : word;
    before = star - start;
    after = strlen(star + 1);
    if (slash) *slash = 0;
    for (name = names_in(slash ? word : "."); *name; name++) {
        size_t length = strlen(*name);
        if (length < before + after || **name == '.' || strncmp(*name, start, before)) continue;
        if (strcmp(*name + length - after, star + 1)) continue;
        add(slash ? join(word, *name) : *name);
    }
    if (count == first) fail("no file fits", star);
}

/* Splits the line at s, whose end it gives. */
static char *split(char *s)
{
    char *word = malloc(LENGTH), *to, *star, *value;
    for (count = 0; ; ) {
        while (*s == ' ') s++;
        if (*s == '\\' && s[1] == '\n') {
            line_number++;
            s += 2;
            continue;
        }
        if (*s == '\n' || *s == 0) break;
        star = NULL;
        for (to = word; *s != ' ' && *s != '\n' && *s; ) {
            if (to - word > LENGTH / 2) fail("too long a word", "");
            if (*s == '\'') {
                for (s++; *s != '\'' && *s; s++) *to++ = *s;
                if (*s++ == 0) fail("a quote is missing", "'");
            } else if (*s == '$' && s[1] == '{') {
                char *end = strchr(s, '}');
                if (end == NULL) fail("a } is missing", "${");
                value = variable(s + 2, end - s - 2);
                if (strlen(value) > LENGTH / 2 - 1) fail("too long a value", "");
                to = strcpy(to, value) + strlen(value);
                s = end + 1;
            } else {
                if (*s == '*') star = to;
                *to++ = *s++;
            }
        }
        *to = 0;
        add_names(word, star);
    }
    words[count] = NULL;
    return s;
}

static void copy(char *from, char *to)
{
    static char buffer[LENGTH];
    char **name, status[144];
    long n;
    int in, out;
    if (is_folder(from)) {
        n = __syscall(83L, to, 0755L);
        if (n < 0 && n != -17) fail("cannot make the folder", to);
        for (name = names_in(from); *name; name++) copy(join(from, *name), join(to, *name));
        return;
    }
    in = open(from, O_RDONLY);
    if (in < 0 || __syscall(5L, (long)in, status) < 0) fail("cannot open", from);
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC, *(int *)(status + 24) & 0111 ? 0755 : 0644);
    if (out < 0) fail("cannot make", to);
    while ((n = read(in, buffer, LENGTH)) > 0)
        if (write(out, buffer, n) != n) fail("cannot write", to);
    if (n < 0) fail("cannot read", from);
    close(in);
    if (close(out) < 0) fail("cannot write", to);
}

static void make(char *path, char *text)
{
    FILE *f = fopen(path, "w");
    if (f == NULL) fail("cannot make", path);
    if (fputs(text, f) == EOF || fputc('\n', f) == EOF || fclose(f)) fail("cannot write", path);
}

static void start(void)
{
    int status = 0;
    long child = __syscall(57L);
    if (child < 0) fail("cannot fork for", words[0]);
    if (child == 0) {
        __syscall(59L, words[0], words, environment);
        fail("cannot be run", words[0]);
    }
    while (__syscall(61L, child, &status, 0L, 0L) == -EINTR) ;
    if (status) fail("failed", words[0]);
}

static int is(char *command, int arguments)
{
    if (strcmp(words[0], command)) return 0;
    if (count != arguments + 1) fail("wrong number of words for", command);
    return 1;
}

int main(int argc, char **argv)
{
    char *text = malloc(1 << 20), *s;
    size_t length;
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    environment = argv + argc + 1;
    if (f == NULL) fail("cannot open", argc == 2 ? argv[1] : "the one argument, a script");
    length = fread(text, 1, 1 << 20, f);
    if (length == 1 << 20) fail("too long a script", argv[1]);
    text[length] = 0;
    for (s = text; *s; s += *s == '\n', line_number++) {
        if (*s == '#') {
            while (*s != '\n' && *s) s++;
            continue;
        }
        s = split(s);
        if (count == 0) continue;
        if (is("cd", 1)) {
            if (__syscall(80L, words[1]) < 0) fail("cannot enter", words[1]);
        } else if (is("mkdir", 1)) {
            if (__syscall(83L, words[1], 0755L) < 0) fail("cannot make the folder", words[1]);
        } else if (is("link", 2)) {
            if (__syscall(88L, words[1], words[2]) < 0) fail("cannot make the link", words[2]);
        }
        else if (is("copy", 2)) copy(words[1], words[2]);
        else if (is("make", 2)) make(words[1], words[2]);
        else start();
    }
    return 0;
}
