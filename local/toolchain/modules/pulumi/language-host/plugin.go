package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	sdk "github.com/pulumi/pulumi/sdk/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/grpc"
)

// RunPlugin executes a policy pack ("analyzer") or a provider that is written in Python, until the engine ends it.
func (h *host) RunPlugin(
	req *pulumirpc.RunPluginRequest, stream grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	if req.GetAttachDebugger() {
		return errors.New("this language host cannot attach a debugger: leave out --attach-debugger")
	}
	isPolicyPack := req.GetKind() == string(apitype.AnalyzerPlugin)
	options, manager, err := resolve(req.GetInfo(), !isPolicyPack)
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(stream, false)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()

	if isPolicyPack {
		err = runPolicyPack(stream.Context(), req, manager, stdout, stderr)
	} else {
		err = runProvider(stream.Context(), req, options, manager, stdout, stderr)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code := int32(exit.ExitCode()) //nolint:gosec // an exit code has 8 bits
		return stream.Send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: code}})
	}
	if err != nil {
		return err
	}
	return closer.Close()
}

// runPolicyPack starts the pack behind the SDK's proxy: the pack's library reads the stack's name and configuration from
// its environment when it starts, and the engine sends them only after it has connected.
func runPolicyPack(
	ctx context.Context, req *pulumirpc.RunPluginRequest, manager toolchain.Toolchain, stdout, stderr io.Writer,
) error {
	folder := req.GetInfo().GetProgramDirectory()
	arguments := append([]string{"-u", "-m", "pulumi.policy"}, req.GetArgs()...)
	cmd, err := manager.Command(ctx, append(arguments, folder)...)
	if err != nil {
		return err
	}
	proxy, proxied, err := sdk.NewPolicyProxy(ctx, stdout)
	if err != nil {
		return fmt.Errorf("could not start the proxy of the policy pack: %w", err)
	}
	stack, err := proxy.AwaitConfiguration(ctx)
	if err != nil {
		return fmt.Errorf("could not get the stack's configuration for the policy pack: %w", err)
	}
	environment, err := policyEnvironment(stack)
	if err != nil {
		return err
	}
	cmd.Dir = folder
	cmd.Env = withEnvironment(cmd.Env, environment, req.GetEnv())
	cmd.Stdout, cmd.Stderr = proxied, stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("could not start Python for the policy pack: %w", err)
	}
	return proxy.Attach(ctx, cmd)
}

// policyEnvironment is nil for a pack that judges a saved state, where no stack runs.
func policyEnvironment(stack *pulumirpc.AnalyzerStackConfigureRequest) ([]string, error) {
	if stack == nil {
		return nil, nil
	}
	config := stack.GetConfig()
	if config == nil {
		config = map[string]string{}
	}
	encoded, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("could not encode the configuration for the policy pack: %w", err)
	}
	environment := []string{
		"PULUMI_CONFIG=" + string(encoded),
		"PULUMI_DRY_RUN=" + strconv.FormatBool(stack.GetDryRun()),
	}
	for _, variable := range [][2]string{
		{"PULUMI_ORGANIZATION", stack.GetOrganization()},
		{"PULUMI_PROJECT", stack.GetProject()},
		{"PULUMI_STACK", stack.GetStack()},
	} {
		if variable[1] != "" {
			environment = append(environment, variable[0]+"="+variable[1])
		}
	}
	return environment, nil
}

func runProvider(
	ctx context.Context, req *pulumirpc.RunPluginRequest, options toolchain.PythonOptions, manager toolchain.Toolchain,
	stdout, stderr io.Writer,
) error {
	cmd, err := providerCommand(ctx, req, options, manager)
	if err != nil {
		return err
	}
	cmd.Dir = req.GetPwd()
	cmd.Env = withEnvironment(cmd.Env, req.GetEnv())
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd.Run()
}

// providerCommand runs the folder's __main__.py, or else the package that its pyproject.toml describes.
func providerCommand(
	ctx context.Context, req *pulumirpc.RunPluginRequest, options toolchain.PythonOptions, manager toolchain.Toolchain,
) (*exec.Cmd, error) {
	folder := req.GetInfo().GetProgramDirectory()
	if _, err := os.Stat(filepath.Join(folder, "__main__.py")); err == nil {
		return manager.Command(ctx, append([]string{"-u", folder}, req.GetArgs()...)...)
	}
	buildable, err := toolchain.IsBuildablePackage(options.Root)
	if err != nil {
		return nil, err
	}
	if !buildable {
		return nil, fmt.Errorf("the plugin in %s has neither a __main__.py nor a pyproject.toml of a package", folder)
	}
	pyproject, err := toolchain.LoadPyproject(options.Root)
	if err != nil {
		return nil, err
	}
	return manager.ModuleCommand(ctx, "pulumi.run.plugin", append([]string{pyproject.Project.Name}, req.GetArgs()...)...)
}

// withEnvironment adds to a command's environment, which is this process's own where the package manager set none.
func withEnvironment(base []string, additions ...[]string) []string {
	if base == nil {
		base = os.Environ()
	}
	for _, addition := range additions {
		base = append(base, addition...)
	}
	return base
}
