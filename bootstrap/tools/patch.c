/* patch.c - applies a unified diff, exactly; what the bootstrap has before it has a shell.

       patch FOLDER DIFF...

   The names in a DIFF are `a/...` and `b/...`; the files are those below FOLDER without the `a/`, and are
   written anew. What stands before the first `--- ` of a DIFF is for its readers. A hunk must be where its
   line numbers say, and every line that it keeps or removes must be the file's: nothing is searched for,
   and the first difference ends it all with exit code 1. Files are neither made nor deleted.  */

#include "libc.h"

static char *diff_name;
static long diff_line = 1;

static void fail(char *what, char *name)
{
    fprintf(stderr, "patch: %s: line %ld: %s %s\n", diff_name, diff_line, what, name);
    exit(1);
}

static char *read_all(char *path, size_t *length)
{
    FILE *f = fopen(path, "r");
    char *text;
    long n;
    if (f == NULL || fseek(f, 0L, SEEK_END)) fail("cannot open", path);
    n = ftell(f);
    text = malloc(n + 1);
    if (text == NULL || fseek(f, 0L, SEEK_SET) || fread(text, 1, n, f) != n) fail("cannot read", path);
    fclose(f);
    text[n] = 0;
    *length = n;
    return text;
}

/* The first byte after the line that starts at s. */
static char *next(char *s)
{
    while (*s && *s != '\n') s++;
    return *s ? s + 1 : s;
}

static int is_line(char *s, char *start) { return strncmp(s, start, strlen(start)) == 0; }

/* The number at *s, which moves behind it. */
static long number(char **s)
{
    char *end;
    long n = strtol(*s, &end, 10);
    if (end == *s) fail("a number is missing", "");
    *s = end;
    return n;
}

/* A count after a line number: 1 if there is none. */
static long size(char **s)
{
    if (**s != ',') return 1;
    ++*s;
    return number(s);
}

/* Applies the hunks at d to the file at path; gives where they end. */
static char *patch_file(char *path, char *d)
{
    size_t length;
    char *old = read_all(path, &length), *new = malloc(length + strlen(d) + 1), *to = new;
    long at = 1;
    FILE *f;
    while (is_line(d, "@@ -")) {
        long start, removed, added;
        char *s = d + 4;
        start = number(&s);
        removed = size(&s);
        if (!is_line(s, " +")) fail("expected `@@ -line,count +line,count @@`", "");
        s += 2;
        number(&s);
        added = size(&s);
        for (; at < start && *old; at++) {
            char *end = next(old);
            memcpy(to, old, end - old);
            to += end - old;
            old = end;
        }
        if (at != start) fail("the hunk lies behind its place or the end of", path);
        for (d = next(d), diff_line++; removed || added; d = next(d), diff_line++) {
            size_t n = next(d) - d - 1;
            if (*d != ' ' && *d != '-' && *d != '+') fail("the hunk is too short for", path);
            if (*d != '+') {
                if (next(old) - old != n || memcmp(d + 1, old, n)) fail("another line stands in", path);
                old += n;
                at++;
                if (removed-- == 0) fail("the hunk removes too much of", path);
            }
            if (*d != '-') {
                memcpy(to, d + 1, n);
                to += n;
                if (added-- == 0) fail("the hunk adds too much to", path);
            }
        }
    }
    memcpy(to, old, strlen(old));
    to += strlen(old);
    f = fopen(path, "w");
    if (f == NULL || fwrite(new, 1, to - new, f) != to - new || fclose(f)) fail("cannot write", path);
    return d;
}

static void apply(char *folder, char *path)
{
    size_t length;
    char *d, *name, *end;
    long files = 0;
    diff_name = path;
    diff_line = 1;
    for (d = read_all(path, &length); *d; ) {
        if (!is_line(d, "--- ")) {
            if (files) fail("expected `--- ` or `@@ -`", "");
            d = next(d);
            diff_line++;
            continue;
        }
        if (!is_line(d, "--- a/")) fail("expected `--- a/`", "");
        name = d + 6;
        for (end = name; *end != '\n' && *end != '\t' && *end; end++) ;
        d = next(d);
        if (!is_line(d, "+++ b/")) fail("expected `+++ b/`", "");
        d = next(d);
        diff_line += 2;
        if (!is_line(d, "@@ -")) fail("expected `@@ -`", "");
        *end = 0;
        path = malloc(strlen(folder) + strlen(name) + 2);
        sprintf(path, "%s/%s", folder, name);
        d = patch_file(path, d);
        files++;
    }
    if (files == 0) fail("no `--- a/` in", diff_name);
}

int main(int argc, char **argv)
{
    int i;
    diff_name = "usage";
    if (argc < 3) fail("patch FOLDER DIFF...", "");
    for (i = 2; i < argc; i++) apply(argv[1], argv[i]);
    return 0;
}
