// The AWS SDK for Go v2: the credentials of the instance's role.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
)

func main() {
	if _, err := ec2rolecreds.New().Retrieve(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
