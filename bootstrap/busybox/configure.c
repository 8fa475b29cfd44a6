/* configure.c - busybox's generated files, made without its shell scripts and its kconfig.

       configure SOURCE CHOSEN OUT

   CHOSEN lists the options to build in, by name, with spaces or line ends between, and `#` comments; what
   they select is built in too. `NAME=value` sets an option that isn't yes or no. All options are found where
   busybox declares them: in Config.in, Config.src and the `//config:` lines of the C files. Written are, into
   the folder OUT,

       autoconf.h      every option: CONFIG_x, ENABLE_x, IF_x(), IF_NOT_x()
       applets.h       applets.src.h with the `//applet:` lines in place of its INSERT line
       objects         the C files to compile, from the `lib-` lines of Kbuild.src and `//kbuild:`

   A name in CHOSEN that busybox doesn't declare is an error. Dependencies are not checked, defaults of
   yes-or-no options not taken. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTIONS = 2000, FILES = 2000, SELECTIONS = 20 };

struct option {
    char *name;
    char *value;                    /* NULL: yes or no */
    int on;
    int selections;
    char *selects[SELECTIONS];
};

static struct option options[OPTIONS], *current;
static int option_count;
static char *objects[FILES];
static int object_count;
static FILE *applets;
static char *source;

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "configure: %s: %s\n", what, name);
    exit(1);
}

static FILE *open_file(const char *folder, const char *name, const char *mode)
{
    char path[4096];
    FILE *f;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, mode);
    if (f == NULL) fail("cannot open", path);
    return f;
}

static struct option *find(const char *name)
{
    int i;
    for (i = 0; i < option_count; i++)
        if (strcmp(options[i].name, name) == 0) return &options[i];
    return NULL;
}

/* A line of a Config file. An option that is declared again continues. */
static void config_line(char *line)
{
    char word[64], rest[200];
    if (sscanf(line, "config %63s", word) == 1) {
        current = find(word);
        if (current == NULL) {
            if (option_count == OPTIONS) fail("too many options", word);
            current = &options[option_count++];
            current->name = strdup(word);
        }
        return;
    }
    if (current == NULL || sscanf(line, " %63s %199[^\n]", word, rest) < 1) return;
    if (strcmp(word, "int") == 0 || strcmp(word, "hex") == 0) current->value = "0";
    if (strcmp(word, "string") == 0) current->value = "\"\"";
    if (strcmp(word, "default") == 0 && current->value && !current->on) {
        rest[strcspn(rest, "#")] = 0;
        current->value = strdup(rest);
        current->on = 1;
    }
    if (strcmp(word, "select") == 0) {
        if (current->selections == SELECTIONS) fail("too many selections", current->name);
        sscanf(rest, "%63s", word);
        current->selects[current->selections++] = strdup(word);
    }
    if (strcmp(word, "help") == 0) current = NULL;
}

/* A line of a Kbuild file, to be read once options are known: `lib-y += a.o b.o`, `lib-$(CONFIG_x) += ...`, or
   `:=` for `+=`. COMMON_FILES, of libarchive, is a variable that lib-y gets whole; the other one, for packages
   of Debian, isn't needed. A few lines name an option that isn't declared any more. */
static void build_line(const char *folder, char *line)
{
    char *name = strtok(line, " \t\n"), *end, path[4096];
    if (name == NULL) return;
    end = strstr(name, ":=");
    if (end) *end = 0;
    if (strcmp(name, "COMMON_FILES")) {
        if (strncmp(name, "lib-", 4) && strncmp(name, "obj-", 4)) return;
        name += 4;
        if (strncmp(name, "$(CONFIG_", 9) == 0) {
            struct option *option;
            name += 9;
            name[strcspn(name, ")")] = 0;
            option = find(name);
            if (option == NULL || !option->on) return;
        } else if (strcmp(name, "y")) return;
    }
    while ((name = strtok(NULL, " \t\n")) != NULL) {
        int i;
        size_t length = strlen(name);
        if (length < 2 || strcmp(name + length - 2, ".o")) continue;
        /* A few are faster checksums in assembly, which nothing refers to as the options are. */
        snprintf(path, sizeof path, "%s/%.*s.S", folder, (int)length - 2, name);
        if (access(path, R_OK) == 0) continue;
        snprintf(path, sizeof path, "%s/%.*s.c", folder, (int)length - 2, name);
        for (i = 0; i < object_count && strcmp(objects[i], path); i++) ;
        if (i < object_count) continue;
        if (object_count == FILES) fail("too many files", path);
        objects[object_count++] = strdup(path);
    }
}

enum pass { DECLARATIONS, OBJECTS };

/* Lines end with a backslash where the next continues them. */
static char *read_line(char *line, int size, FILE *f)
{
    int n = 0;
    while (fgets(line + n, size - n, f)) {
        n = strlen(line);
        if (n < 2 || strcmp(line + n - 2, "\\\n")) return line;
        n -= 2;
    }
    return n ? line : NULL;
}

static void read_file(const char *folder, const char *name, enum pass pass)
{
    static char line[65536];
    size_t length = strlen(name);
    int is_config = strcmp(name, "Config.in") == 0 || strcmp(name, "Config.src") == 0;
    int is_build = strcmp(name, "Kbuild.src") == 0;
    int is_c = length > 2 && strcmp(name + length - 2, ".c") == 0;
    FILE *f;
    if (!is_config && !is_build && !is_c) return;
    f = open_file(folder, name, "r");
    current = NULL;
    /* The macros of a C file are of no interest: only its comments are read, each a line of its own. */
    while (is_c ? fgets(line, sizeof line, f) : read_line(line, sizeof line, f)) {
        if (pass == DECLARATIONS && is_config) config_line(line);
        if (pass == DECLARATIONS && is_c && strncmp(line, "//config:", 9) == 0) config_line(line + 9);
        if (pass == DECLARATIONS && is_c && strncmp(line, "//applet:", 9) == 0) fputs(line + 9, applets);
        if (pass == OBJECTS && is_build) build_line(folder, line);
        if (pass == OBJECTS && is_c && strncmp(line, "//kbuild:", 9) == 0) build_line(folder, line + 9);
    }
    fclose(f);
}

static int is_entry(const struct dirent *entry) { return *entry->d_name != '.'; }

/* All files below a folder, in the order of their names. */
static void walk(const char *folder, int depth, enum pass pass)
{
    struct dirent **entries;
    char path[4096];
    int i, n = scandir(folder, &entries, is_entry, alphasort);
    if (n < 0) fail("cannot read the folder", folder);
    for (i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (entries[i]->d_type != DT_DIR) read_file(folder, name, pass);
        else if (depth == 2) continue;
        /* Examples and the build's own programs aren't part of busybox. */
        else if (depth || (strcmp(name, "scripts") && strcmp(name, "examples") && strcmp(name, "docs")))
            walk(path, depth + 1, pass);
    }
}

static void choose(char *name)
{
    char *value = strchr(name, '=');
    struct option *option;
    if (value) *value++ = 0;
    option = find(name);
    if (option == NULL) fail("no such option", name);
    if (value) option->value = strdup(value);
    option->on = 1;
}

static void read_chosen(const char *path)
{
    char line[4096], *word;
    FILE *f = fopen(path, "r");
    int i, j, changed = 1;
    if (f == NULL) fail("cannot open", path);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "#\n")] = 0;
        for (word = strtok(line, " "); word; word = strtok(NULL, " ")) choose(word);
    }
    while (changed)
        for (changed = 0, i = 0; i < option_count; i++)
            for (j = 0; j < options[i].selections; j++) {
                struct option *selected = find(options[i].selects[j]);
                if (!options[i].on || selected == NULL || selected->on) continue;
                changed = selected->on = 1;
            }
}

static void write_options(FILE *f)
{
    int i;
    for (i = 0; i < option_count; i++) {
        struct option *o = &options[i];
        if (o->value) fprintf(f, "#define CONFIG_%s %s\n", o->name, o->value);
        else if (o->on) fprintf(f, "#define CONFIG_%s 1\n", o->name);
        else fprintf(f, "#undef CONFIG_%s\n", o->name);
        fprintf(f, "#define ENABLE_%s %d\n", o->name, o->on);
        fprintf(f, "#define IF_%s(...)%s\n", o->name, o->on ? " __VA_ARGS__" : "");
        fprintf(f, "#define IF_NOT_%s(...)%s\n", o->name, o->on ? "" : " __VA_ARGS__");
    }
}

/* Copies applets.src.h up to its INSERT line, or what is after it. */
static void copy_frame(FILE *frame)
{
    char line[4096];
    while (fgets(line, sizeof line, frame) && strcmp(line, "INSERT\n")) fputs(line, applets);
}

static void close_file(FILE *f, const char *name)
{
    int failed = ferror(f);
    if (fclose(f) || failed) fail("cannot write", name);
}

int main(int argc, char **argv)
{
    FILE *frame, *f;
    char folder[4096];
    int i;
    if (argc != 4) fail("usage", "configure SOURCE CHOSEN OUT");
    source = argv[1];
    snprintf(folder, sizeof folder, "%s/include", source);
    frame = open_file(folder, "applets.src.h", "r");
    applets = open_file(argv[3], "applets.h", "w");
    copy_frame(frame);
    walk(source, 0, DECLARATIONS);
    copy_frame(frame);
    close_file(applets, "applets.h");
    read_chosen(argv[2]);
    f = open_file(argv[3], "autoconf.h", "w");
    write_options(f);
    close_file(f, "autoconf.h");
    walk(source, 0, OBJECTS);
    f = open_file(argv[3], "objects", "w");
    for (i = 0; i < object_count; i++) fprintf(f, "%s\n", objects[i]);
    close_file(f, "objects");
    return 0;
}
