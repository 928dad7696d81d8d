package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// exitBail is the exit code by which a program says that it has explained the failure to the user already.
const exitBail = 32

// Run executes a program to its end. A failure of the program is an answer, not an error of the call.
func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	if req.GetAttachDebugger() {
		return &pulumirpc.RunResponse{Error: "this language host cannot attach a debugger: leave out --attach-debugger"}, nil
	}
	options, manager, err := resolve(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	if err := manager.ValidateVenv(ctx); err != nil {
		return nil, err
	}
	environment, err := configEnvironment(req)
	if err != nil {
		return nil, err
	}

	// The program ends with the call, and also when the engine cancels everything.
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.running, cancel)()

	if err := typecheck(running, options, manager, req.GetInfo().GetProgramDirectory()); err != nil {
		return nil, err
	}
	cmd, err := manager.Command(running, h.programArguments(req)...)
	if err != nil {
		return nil, err
	}
	// Not SIGINT: Python answers that one with a traceback, which would bury the error that made the engine cancel.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = interruptGrace
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, environment...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return programResult(cmd.Run()), nil
}

// programArguments is the command line of the executor script.
func (h *host) programArguments(req *pulumirpc.RunRequest) []string {
	arguments := []string{"-u", h.executor}
	for _, flag := range [][2]string{
		{"monitor", req.GetMonitorAddress()},
		{"engine", h.engineAddress},
		{"project", req.GetProject()},
		{"root_directory", req.GetInfo().GetRootDirectory()},
		{"stack", req.GetStack()},
		{"pwd", req.GetPwd()},
		{"dry_run", strconv.FormatBool(req.GetDryRun())},
		{"parallel", strconv.Itoa(int(req.GetParallel()))},
		{"organization", req.GetOrganization()},
	} {
		if flag[1] != "" {
			arguments = append(arguments, "--"+flag[0], flag[1])
		}
	}
	arguments = append(arguments, req.GetInfo().GetEntryPoint())
	return append(arguments, req.GetArgs()...)
}

// configEnvironment carries the stack's configuration. An empty one must be an empty object: the Python SDK fails on null.
func configEnvironment(req *pulumirpc.RunRequest) ([]string, error) {
	config, secretKeys := req.GetConfig(), req.GetConfigSecretKeys()
	if config == nil {
		config = map[string]string{}
	}
	if secretKeys == nil {
		secretKeys = []string{}
	}
	configJSON, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("could not encode the configuration: %w", err)
	}
	keysJSON, err := json.Marshal(secretKeys)
	if err != nil {
		return nil, fmt.Errorf("could not encode the names of the secret configuration: %w", err)
	}
	return []string{"PULUMI_CONFIG=" + string(configJSON), "PULUMI_CONFIG_SECRET_KEYS=" + string(keysJSON)}, nil
}

func programResult(err error) *pulumirpc.RunResponse {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case errors.As(err, &exit) && exit.ExitCode() == exitBail:
		return &pulumirpc.RunResponse{Bail: true}
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited with non-zero exit code: %d", exit.ExitCode())}
	case errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program ended unexpectedly: %s", exit)}
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("could not start Python: %s", err)}
	}
}
