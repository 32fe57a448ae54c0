// Go's net/http: without a token, for one, and with it or again without.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"time"
)

var client = http.Client{}

func ask(method, path, header, value string) string {
	request, err := http.NewRequest(method, os.Getenv("IMDS_URL")+path, nil)
	if err != nil {
		panic(err)
	}
	if value != "" {
		request.Header.Set(header, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

func main() {
	if len(os.Args) > 1 { // it is asked for the version of what it was built with
		fmt.Println(runtime.Version())
		return
	}
	timeout, err := time.ParseDuration(os.Getenv("IMDS_TIMEOUT_S") + "s")
	if err != nil {
		panic(err)
	}
	client.Timeout = timeout
	ask("GET", "/latest/meta-data/instance-id", "", "")
	token := ask("PUT", "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "60")
	ask("GET", "/latest/meta-data/instance-id", "X-aws-ec2-metadata-token", token)
}
