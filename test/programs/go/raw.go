// raw.go -- signals set on goroutines' stacks, children, a profile, exec.
//
// SPDX-License-Identifier: MIT

package main

import "C"
import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

type raw struct {
	handler, flags, restorer, mask uintptr
}

func main() {
	f, _ := os.CreateTemp("", "prof")
	defer os.Remove(f.Name())
	pprof.StartCPUProfile(f)
	var wait sync.WaitGroup
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func(i int) {
			defer wait.Done()
			for j := 0; j < 10; j++ {
				out, err := exec.Command("echo", fmt.Sprint(i, j)).Output()
				if err != nil || string(out) != fmt.Sprintln(i, j) {
					fmt.Println("wrong", string(out), err)
				}
				b := make([]byte, 1<<20)
				for k := range b {
					b[k] = byte(k)
				}
				n := 0
				for k := range b {
					n += int(b[k])
				}
				if n == 0 {
					fmt.Println("zero")
				}
			}
		}(i)
	}
	wait.Wait()
	pprof.StopCPUProfile()
	st, _ := f.Stat()
	fmt.Println(st.Size() > 0)
	u, err := user.Current()
	fmt.Println(u, err)
	// On a goroutine's stack.
	done := make(chan int)
	for i := 0; i < 20; i++ {
		go func() {
			runtime.LockOSThread()
			var old, set uint64 = 0, 1<<10 | 1<<9
			_, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, 0, uintptr(unsafe.Pointer(&set)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
			b := make([]byte, 5<<20)
			for k := 0; k < len(b); k += 4096 {
				b[k] = 1
			}
			syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, 2, uintptr(unsafe.Pointer(&old)), uintptr(unsafe.Pointer(&set)), 8, 0, 0)
			fmt.Println(e, set&(1<<10|1<<9))
			var act raw
			_, _, e = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, 11, 0, uintptr(unsafe.Pointer(&act)), 8, 0, 0)
			fmt.Printf("%v %x %v\n", e, act.flags, act.restorer != 0)
			done <- 1
		}()
		<-done
	}
	time.Sleep(10 * time.Millisecond)
	if len(os.Args) > 1 {
		syscall.Exec("/bin/sh", []string{"sh", "-c", "grep Sig[BI] /proc/self/status"}, os.Environ())
	}
}
