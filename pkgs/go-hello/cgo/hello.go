// Prints a greeting and a number that C knows.
package main

/*
static int answer(void) { return 42; }
*/
import "C"
import "fmt"

func main() { fmt.Println("Hello from Go and C:", C.answer()) }
