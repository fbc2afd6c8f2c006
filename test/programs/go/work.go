// work.go -- what a program with cgo does: mappings, garbage, panics,
// threads, a server and its clients, children, signals.
//
// SPDX-License-Identifier: MIT

package main

/*
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <stdint.h>
static int twice(int x) { return 2 * x; }
static int *nowhere(void) { return 0; }
static long sum(const unsigned char *at, long n)
{
	long s = 0;
	for (long i = 0; i < n; i++)
		s += at[i];
	return s;
}
extern int goCallback(int);
static int callback(int x) { return goCallback(x) + 1; }
*/
import "C"

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sort"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

//export goCallback
func goCallback(x C.int) C.int { return x * 3 }

func nilDereference() (err interface{}) {
	defer func() { err = recover() }()
	var p *int
	*p = 1
	return nil
}

func nilRead(n int) (err interface{}) {
	defer func() { err = recover() }()
	var p *[100]int
	return p[n]
}

func badAddress() (err interface{}) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e, ok := recover().(interface{ Addr() uintptr }); ok {
			err = e.Addr() != 0
		}
	}()
	m, _ := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	return m[77]
}

func mapping() {
	m, err := syscall.Mmap(-1, 0, 8<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := 0; i < len(m); i += 4096 {
		m[i] = byte(i >> 12)
	}
	fmt.Println("sum", C.sum((*C.uchar)(unsafe.Pointer(&m[0])), C.long(len(m))))
	f, _ := os.CreateTemp("", "go")
	defer os.Remove(f.Name())
	n, err := f.Write(m)
	fmt.Println(n, err)
	fresh, _ := syscall.Mmap(-1, 0, 8<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	n, err = f.ReadAt(fresh, 0)
	fmt.Println(n, err, bytes.Equal(fresh, m))
	file, err := syscall.Mmap(int(f.Fd()), 0, 8<<20, syscall.PROT_READ, syscall.MAP_SHARED)
	fmt.Println(err, bytes.Equal(file, m))
	fmt.Println(syscall.Munmap(m), syscall.Munmap(fresh), syscall.Munmap(file))
}

type tree struct{ left, right *tree }

func grow(n int) *tree {
	if n == 0 {
		return &tree{}
	}
	return &tree{grow(n - 1), grow(n - 1)}
}
func (t *tree) count() int {
	if t == nil {
		return 0
	}
	return 1 + t.left.count() + t.right.count()
}

func deep(n int) int {
	var room [500]byte
	room[n%500] = 1
	if n == 0 {
		return int(room[0])
	}
	return deep(n-1) + int(room[n%500])
}

func garbage() {
	var wait sync.WaitGroup
	total := make([]int, 16)
	for i := range total {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for j := 0; j < 20; j++ {
				t := grow(12)
				total[i] += t.count()
				b := make([]byte, 300000+j)
				b[j] = 1
				total[i] += deep(1000)
				total[i] += int(C.twice(C.int(j)))
				if nilDereference() == nil {
					panic("no panic")
				}
			}
		}(i)
	}
	wait.Wait()
	runtime.GC()
	debug.FreeOSMemory()
	fmt.Println(total)
}

func network() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		z := gzip.NewWriter(w)
		z.Write(body)
		z.Close()
	}))
	var wait sync.WaitGroup
	var lock sync.Mutex
	sums := []string{}
	for i := 0; i < 20; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			data := bytes.Repeat([]byte{byte(i), 2, 3, 4}, 100000)
			reply, err := http.Post("http://"+listener.Addr().String(), "x/y", bytes.NewReader(data))
			if err != nil {
				panic(err)
			}
			z, err := gzip.NewReader(reply.Body)
			if err != nil {
				panic(err)
			}
			got, err := io.ReadAll(z)
			lock.Lock()
			sums = append(sums, fmt.Sprintf("%x %v", sha256.Sum256(got), err))
			lock.Unlock()
		}(i)
	}
	wait.Wait()
	sort.Strings(sums)
	fmt.Println(sums)
	fmt.Println(net.LookupHost("localhost"))
}

func children() {
	for i := 0; i < 5; i++ {
		c := exec.Command("sh", "-c", "cat; grep Sig[BIC] /proc/self/status | md5sum >/dev/null; echo child")
		c.Stdin = bytes.NewReader(make([]byte, 100))
		out, err := c.CombinedOutput()
		fmt.Println(len(out), err)
	}
	out, err := exec.Command("sh", "-c", "kill -SEGV $$").CombinedOutput()
	fmt.Println(string(out), err)
	c := exec.Command("grep", "SigBlk", "/proc/self/status")
	c.Env = []string{"A=b"}
	out, err = c.Output()
	fmt.Println(string(out), err)
}

func signals() {
	got := make(chan os.Signal, 10)
	signal.Notify(got, syscall.SIGUSR1, syscall.SIGHUP)
	for i := 0; i < 5; i++ {
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)
		fmt.Println(<-got)
	}
	signal.Reset(syscall.SIGUSR1)
	signal.Ignore(syscall.SIGHUP)
	syscall.Kill(syscall.Getpid(), syscall.SIGHUP)
}

func threads() {
	var wait sync.WaitGroup
	for i := 0; i < 30; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			runtime.LockOSThread()
			time.Sleep(time.Millisecond)
			C.callback(5)
			nilRead(7)
		}()
	}
	wait.Wait()
}

func main() {
	fmt.Println(C.twice(21), C.callback(4))
	fmt.Println(nilDereference(), nilRead(3), badAddress())
	mapping()
	garbage()
	threads()
	network()
	children()
	signals()
	busy := make(chan bool)
	go func() { // preempted
		for x := 0; ; x++ {
			if x == 2000000000 {
				break
			}
		}
		busy <- true
	}()
	runtime.GC()
	<-busy
	for i := 0; i < 5; i++ {
		garbage()
	}
	fmt.Println("done")
	if len(os.Args) > 1 && os.Args[1] == "go" {
		var p *int
		*p = 1
	}
	if len(os.Args) > 1 && os.Args[1] == "c" {
		*C.nowhere() = 1
	}
}
