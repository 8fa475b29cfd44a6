/* headers.c - the two generated headers of musl, as its sed scripts make them.

       headers alltypes IN... OUT      TYPEDEF, STRUCT and UNION lines become definitions that are made once,
                                       where a header asks for them by __NEED_name; other lines stay
       headers syscall IN OUT          the lines, then again each `__NR_` line with SYS_ instead

   The syscall numbers are one IN only.  */

#include "libc.h"

static FILE *out;

static void fail(char *what, char *name)
{
    fprintf(stderr, "headers: %s: %s\n", what, name);
    exit(1);
}

static char *read_all(char *path)
{
    FILE *f = fopen(path, "r");
    char *text = malloc(1 << 20);
    size_t n;
    if (f == NULL) fail("cannot open", path);
    n = fread(text, 1, 1 << 20, f);
    if (n == 1 << 20) fail("too long", path);
    fclose(f);
    text[n] = 0;
    return text;
}

/* Ends the line at s, and gives the start of the next. */
static char *end_line(char *s, char *path)
{
    char *end = strchr(s, '\n');
    if (end == NULL) fail("the last line has no end", path);
    *end = 0;
    return end + 1;
}

static void guarded(char *keyword, char *tag, char *definition, char *name)
{
    fprintf(out, "#if defined(__NEED_%s%s) && !defined(__DEFINED_%s%s)\n", tag, name, tag, name);
    fprintf(out, "%s %s;\n#define __DEFINED_%s%s\n#endif\n\n", keyword, definition, tag, name);
}

/* `TYPEDEF type name;`, `STRUCT name { members };` or UNION: s is what follows the word. */
static void define(char *keyword, char *tag, char *s)
{
    char *end = strrchr(s, ';'), *name, *definition;
    if (end == NULL || end[1]) fail("expected a ; at the end of", s);
    *end = 0;
    while (*s == ' ') s++;
    definition = malloc(strlen(s) + 1);
    strcpy(definition, s);
    if (*tag) {
        name = s;
        *strchr(s, ' ') = 0;
    } else name = strrchr(s, ' ') + 1;
    guarded(keyword, tag, definition, name);
}

static void alltypes(char *path)
{
    char *s = read_all(path), *next;
    for (; *s; s = next) {
        next = end_line(s, path);
        if (strncmp(s, "TYPEDEF ", 8) == 0) define("typedef", "", s + 8);
        else if (strncmp(s, "STRUCT ", 7) == 0) define("struct", "struct_", s + 7);
        else if (strncmp(s, "UNION ", 6) == 0) define("union", "union_", s + 6);
        else fprintf(out, "%s\n", s);
    }
}

static void syscall_names(char *path)
{
    char *s = read_all(path), *next, *number;
    fputs(s, out);
    for (; *s; s = next) {
        next = end_line(s, path);
        number = strstr(s, "__NR_");
        if (number == NULL) continue;
        *number = 0;
        fprintf(out, "%sSYS_%s\n", s, number + 5);
    }
}

int main(int argc, char **argv)
{
    int i;
    if (argc < 4) fail("headers alltypes|syscall IN... OUT", "usage");
    out = fopen(argv[argc - 1], "w");
    if (out == NULL) fail("cannot make", argv[argc - 1]);
    for (i = 2; i < argc - 1; i++) {
        if (strcmp(argv[1], "alltypes") == 0) alltypes(argv[i]);
        else if (strcmp(argv[1], "syscall") == 0) syscall_names(argv[i]);
        else fail("not known", argv[1]);
    }
    return fclose(out) ? 1 : 0;
}
