// shared.go -- a library for programs in C.
//
// SPDX-License-Identifier: MIT

package main

import "C"
import (
	"fmt"
	"os"
	"runtime"
)

//export Work
func Work(n int) int {
	defer func() { recover() }()
	b := make([][]byte, 0)
	for i := 0; i < n; i++ {
		b = append(b, make([]byte, 100000+i))
		b[i][77] = 1
	}
	runtime.GC()
	f, _ := os.ReadFile("/proc/self/cmdline")
	fmt.Println("worked", len(f) > 0)
	var p *int
	*p = 1
	return len(b)
}
func main() {}
