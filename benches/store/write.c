/* Writes its second argument to the file that its first one names. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **words)
{
    int file = count == 3 ? open(words[1], O_WRONLY | O_CREAT, 0644) : -1;
    if (file < 0)
        return 1;
    return write(file, words[2], strlen(words[2])) == (long)strlen(words[2]) ? 0 : 1;
}
