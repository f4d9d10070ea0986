/* A power cut in a test: preloaded into a server, it keeps beside the disk what the disk would hold if every write
   that was never synced were lost. ROOT is watched; SHADOW gets "f<inode>" for a synced file's content and "d<inode>"
   for the names and inodes of a synced folder. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void copy_file(int fd, ino_t inode) {
    char target[4096], part[4200], buffer[1 << 16];
    snprintf(target, sizeof target, "%s/f%lu", getenv("SHADOW"), (unsigned long)inode);
    snprintf(part, sizeof part, "%s.part", target);
    int out = open(part, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    off_t at = 0;
    ssize_t count;
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    int in = open(self, O_RDONLY);
    while ((count = pread(in, buffer, sizeof buffer, at)) > 0) {
        if (write(out, buffer, count) != count) abort();
        at += count;
    }
    close(in);
    close(out);
    rename(part, target);
}

static void copy_names(const char *path, ino_t inode) {
    char target[4096], part[4200];
    snprintf(target, sizeof target, "%s/d%lu", getenv("SHADOW"), (unsigned long)inode);
    snprintf(part, sizeof part, "%s.part", target);
    FILE *out = fopen(part, "w");
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            fprintf(out, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    if (folder) closedir(folder);
    fclose(out);
    rename(part, target);
}

static void note(int fd) {
    char self[64], path[4096];
    const char *root = getenv("ROOT");
    struct stat found;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(self, path, sizeof path - 1);
    if (length <= 0 || !root || fstat(fd, &found)) return;
    path[length] = 0;
    if (strncmp(path, root, strlen(root))) return;
    pthread_mutex_lock(&lock);
    if (S_ISDIR(found.st_mode)) copy_names(path, found.st_ino);
    else if (S_ISREG(found.st_mode)) copy_file(fd, found.st_ino);
    pthread_mutex_unlock(&lock);
}

int fsync(int fd) {
    note(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
    note(fd);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
