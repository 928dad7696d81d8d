package main

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
	"google.golang.org/grpc"
)

// InstallDependencies creates the virtual environment and installs into it what the program or plugin needs.
func (h *host) InstallDependencies(
	req *pulumirpc.InstallDependenciesRequest, stream grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	_, manager, err := resolve(req.GetInfo(), req.GetIsPlugin())
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(stream, req.GetIsTerminal())
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()

	ctx, folder := stream.Context(), req.GetInfo().GetProgramDirectory()
	_, _ = fmt.Fprintln(stdout, "Installing dependencies...")
	if err := manager.InstallDependencies(ctx, folder, req.GetUseLanguageVersionTools(), true, stdout, stderr); err != nil {
		return err
	}
	if req.GetIsPlugin() {
		if err := installPlugin(ctx, manager, folder); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintln(stdout, "Finished installing dependencies")
	return closer.Close()
}

// installPlugin installs a plugin that is itself a package, so that `python -m` finds it.
func installPlugin(ctx context.Context, manager toolchain.Toolchain, folder string) error {
	buildable, err := toolchain.IsBuildablePackage(folder)
	if err != nil || !buildable {
		return err
	}
	cmd, err := manager.ModuleCommand(ctx, "pip", "install", folder)
	if err != nil {
		return err
	}
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("could not install the plugin in %s: %w\n%s", folder, err, output)
	}
	return nil
}

// RuntimeOptionsPrompts tells `pulumi new` what to ask for.
func (h *host) RuntimeOptionsPrompts(
	_ context.Context, req *pulumirpc.RuntimeOptionsRequest,
) (*pulumirpc.RuntimeOptionsResponse, error) {
	options := req.GetInfo().GetOptions().AsMap()
	response := &pulumirpc.RuntimeOptionsResponse{}
	chosen, hasToolchain := options["toolchain"]
	if !hasToolchain {
		pip := promptValue("pip")
		choices := append([]*pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue{pip},
			plugin.MakeExecutablePromptChoices("poetry", "uv")...)
		response.Prompts = append(response.Prompts, &pulumirpc.RuntimeOptionPrompt{
			Key:         "toolchain",
			Description: "The toolchain to use for installing dependencies and running the program",
			PromptType:  pulumirpc.RuntimeOptionPrompt_STRING, Choices: choices, Default: pip,
		})
	}
	if _, hasVirtualenv := options["virtualenv"]; chosen == "pip" && !hasVirtualenv {
		venv := promptValue("venv")
		response.Prompts = append(response.Prompts, &pulumirpc.RuntimeOptionPrompt{
			Key: "virtualenv", Description: "The virtualenv to use",
			PromptType: pulumirpc.RuntimeOptionPrompt_STRING,
			Choices:    []*pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue{venv}, Default: venv,
		})
	}
	return response, nil
}

func promptValue(value string) *pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue {
	return &pulumirpc.RuntimeOptionPrompt_RuntimeOptionValue{
		PromptType: pulumirpc.RuntimeOptionPrompt_STRING, StringValue: value, DisplayName: value,
	}
}

// Template finishes a project that `pulumi new` has copied.
func (h *host) Template(ctx context.Context, req *pulumirpc.TemplateRequest) (*pulumirpc.TemplateResponse, error) {
	_, manager, err := resolve(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	folder := req.GetInfo().GetProgramDirectory()
	if err := manager.PrepareProject(ctx, req.GetProjectName(), folder, false, nil, nil); err != nil {
		return nil, err
	}
	return &pulumirpc.TemplateResponse{}, nil
}

// About names the Python that runs the program.
func (h *host) About(ctx context.Context, req *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	// Outside of a project there are no options: then it is the Python on PATH.
	options := toolchain.PythonOptions{Toolchain: toolchain.Pip}
	if req.GetInfo() != nil {
		var err error
		if options, err = parseOptions(req.GetInfo(), false); err != nil {
			return nil, err
		}
	}
	manager, err := toolchain.ResolveToolchain(options)
	if err != nil {
		return nil, err
	}
	info, err := manager.About(ctx)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{
		Executable: info.PythonExecutable,
		Version:    info.PythonVersion.String(),
		Metadata: map[string]string{
			"toolchain":        toolchain.Name(options.Toolchain),
			"toolchainVersion": info.ToolchainVersion.String(),
			"typechecker":      toolchain.TypeCheckerName(options.Typechecker),
		},
	}, nil
}

// GetProgramDependencies lists the installed Python packages.
func (h *host) GetProgramDependencies(
	ctx context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	_, manager, err := resolve(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	packages, err := manager.ListPackages(ctx, req.GetTransitiveDependencies())
	if err != nil {
		return nil, fmt.Errorf("could not list the program's packages: %w", err)
	}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, dependency := range packages {
		response.Dependencies = append(response.Dependencies,
			&pulumirpc.DependencyInfo{Name: dependency.Name, Version: dependency.Version})
	}
	return response, nil
}
