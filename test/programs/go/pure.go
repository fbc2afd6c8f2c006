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
	var said [8]string // who comes first is chance
	for i := 0; i < 8; i++ {
		wait.Add(1)
		go func(said *string) {
			defer wait.Done()
			defer func() { *said += fmt.Sprintln(recover()) }()
			runtime.LockOSThread()
			b := make([]byte, 10<<20)
			for j := 0; j < len(b); j += 4096 {
				b[j] = 1
			}
			out, err := exec.Command("echo", "child").Output()
			*said = fmt.Sprintln(string(out), err)
			var p *int
			*p = 1
		}(&said[i])
	}
	wait.Wait()
	fmt.Print(said)
	fmt.Println(len(os.Args))
}
