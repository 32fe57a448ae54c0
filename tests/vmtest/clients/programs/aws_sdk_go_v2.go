// The AWS SDK for Go v2: the credentials of the instance's role.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
)

func main() {
	if len(os.Args) > 1 { // it is asked for the version of the SDK
		fmt.Println(aws.SDKVersion)
		return
	}
	_, err := ec2rolecreds.New().Retrieve(context.Background())
	fmt.Println("found:", err == nil)
}
