// minio-go: the credentials of the instance's role.
package main

import (
	"fmt"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

func main() {
	_, err := credentials.NewIAM("").Get()
	fmt.Println("found:", err == nil)
}
