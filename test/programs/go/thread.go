// thread.go -- signals for a thread that is not of Go's making.
//
// SPDX-License-Identifier: MIT

package main

/*
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <string.h>
#include <sys/mman.h>
static volatile int stop;
static pthread_t thread;
extern int goCallback(int);
static volatile long total;
static void *run(void *unused)
{
	char *at = mmap(0, 64 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (long i = 0; !stop; i++) {
		at[i * 4096 % (64 << 20)]++;
		if (i % 1000 == 0)
			total += goCallback(1);
		if (i % 100 == 0)
			usleep(100);
	}
	return 0;
}
static void begin(void) { pthread_create(&thread, 0, run, 0); }
static void hit(void) { pthread_kill(thread, SIGUSR1); }
static int end(void) { stop = 1; return pthread_join(thread, 0); }
*/
import "C"
import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

//export goCallback
func goCallback(x C.int) C.int {
	b := make([]byte, 100000)
	b[99] = 1
	return x + C.int(b[99])
}

func main() {
	got := make(chan os.Signal, 10)
	signal.Notify(got, syscall.SIGUSR1)
	C.begin()
	for i := 0; i < 200; i++ {
		C.hit()
		<-got
	}
	fmt.Println(C.end())
}
