// pure.go -- threads of Go's own making, without the C library.
//
// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
)

func main() {
	var wait sync.WaitGroup
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			defer func() { fmt.Println(recover()) }()
			runtime.LockOSThread()
			b := make([]byte, 10<<20)
			for j := 0; j < len(b); j += 4096 {
				b[j] = 1
			}
			out, err := exec.Command("echo", "child").Output()
			fmt.Println(string(out), err)
			var p *int
			*p = 1
		}()
	}
	wait.Wait()
	fmt.Println(len(os.Args))
}
