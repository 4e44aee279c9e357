// Prints the merged Compose project of the files named, as JSON: what `docker compose -f ... config` would run, by the library that
// Docker Compose itself uses. The environment holds nothing, so that every variable takes its default, except what COMPOSE_TEST_ENV
// (`NAME=value` by lines) gives.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(
		os.Args[1:],
		cli.WithEnv(strings.Fields(os.Getenv("COMPOSE_TEST_ENV"))),
		cli.WithProfiles([]string{"*"}),
		cli.WithResolvedPaths(true),
	)
	if err != nil {
		fail(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		fail(err)
	}
	text, err := project.MarshalJSON()
	if err != nil {
		fail(err)
	}
	fmt.Println(string(text))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
