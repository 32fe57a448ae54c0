// The AWS SDK for Go: the credentials of the instance's role.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go/aws/session"
)

func main() {
	if len(os.Args) > 1 { // it is asked for the version of the SDK
		fmt.Println(aws.SDKVersion)
		return
	}
	config := aws.NewConfig().WithMaxRetries(0)
	_, err := ec2rolecreds.NewCredentials(session.Must(session.NewSession(config))).Get()
	fmt.Println("found:", err == nil)
}
