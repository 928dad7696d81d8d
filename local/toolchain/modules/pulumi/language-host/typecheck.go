package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// typecheck runs the type checker that the runtime option names, if any, and fails where it finds a defect.
func typecheck(
	ctx context.Context, options toolchain.PythonOptions, manager toolchain.Toolchain, programDirectory string,
) error {
	var checker string
	switch options.Typechecker {
	case toolchain.TypeCheckerMypy:
		checker = "mypy"
	case toolchain.TypeCheckerPyright:
		checker = "pyright"
	default:
		return nil
	}
	probe, err := manager.Command(ctx, "-c", "import sys, importlib.util as u; sys.exit(u.find_spec(sys.argv[1]) is None)",
		checker)
	if err != nil {
		return err
	}
	if err := probe.Run(); err != nil {
		return fmt.Errorf("runtime option typechecker is %s, which is not installed for %s: "+
			"add it to the program's dependencies and run `pulumi install`, or take the option out", checker, probe.Path)
	}
	cmd, err := checkCommand(ctx, manager, checker, programDirectory)
	if err != nil {
		return err
	}
	var output bytes.Buffer
	cmd.Dir = programDirectory
	cmd.Stdout = io.MultiWriter(os.Stdout, &output)
	cmd.Stderr = io.MultiWriter(os.Stderr, &output)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s failed: %w\n%s", checker, err, output.String())
	}
	return nil
}

func checkCommand(
	ctx context.Context, manager toolchain.Toolchain, checker, programDirectory string,
) (*exec.Cmd, error) {
	arguments := []string{}
	if checker == "mypy" {
		// mypy descends into a virtual environment below the program, pyright leaves it out by itself.
		virtualenv, err := manager.VirtualEnvPath(ctx)
		if err != nil {
			return nil, err
		}
		if relative, err := filepath.Rel(programDirectory, virtualenv); err == nil && virtualenv != "" {
			arguments = append(arguments, "--exclude", relative)
		}
	}
	return manager.ModuleCommand(ctx, checker, append(arguments, programDirectory)...)
}
