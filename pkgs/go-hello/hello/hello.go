// Prints a greeting, in Go.
package main

import "fmt"

func main() { fmt.Println("Hello from Go!") }
