/* tool.c - a program to be run from the store, and a builder that makes packages of itself.

   usage: tool make OUT NAME    makes OUT with bin/NAME, a link to this program
          tool show ARGUMENT…   prints its own path and its arguments, a line each
          tool exit CODE
          tool signal NUMBER    sends itself a signal
          tool wait             prints a line, then reads until its input ends  */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYS_getpid 39
#define SYS_kill 62
#define SYS_mkdir 83
#define SYS_symlink 88

static int make(char *self, char *out, char *name)
{
    char path[512];
    if (__syscall(SYS_mkdir, out, 0755L) < 0) return 1;
    sprintf(path, "%s/bin", out);
    if (__syscall(SYS_mkdir, path, 0755L) < 0) return 1;
    sprintf(path, "%s/bin/%s", out, name);
    return __syscall(SYS_symlink, self, path) < 0;
}

int main(int argc, char **argv)
{
    char *word = argc > 1 ? argv[1] : "show";
    char buffer[64];
    int i;
    if (!strcmp(word, "make")) return make(argv[0], argv[2], argv[3]);
    if (!strcmp(word, "exit")) return atoi(argv[2]);
    if (!strcmp(word, "signal")) return __syscall(SYS_kill, __syscall(SYS_getpid), (long)atoi(argv[2]));
    if (!strcmp(word, "wait")) {
        write(1, "waiting\n", 8);
        while (read(0, buffer, sizeof(buffer)) > 0) continue;
        return 0;
    }
    puts(argv[0]);
    for (i = 2; i < argc; i++) puts(argv[i]);
    return 0;
}
