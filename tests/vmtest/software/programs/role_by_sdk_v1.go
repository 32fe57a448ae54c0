// The AWS SDK for Go: the credentials of the instance's role.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go/aws/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go/aws/session"
)

func main() {
	if _, err := ec2rolecreds.NewCredentials(session.Must(session.NewSession())).Get(); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
