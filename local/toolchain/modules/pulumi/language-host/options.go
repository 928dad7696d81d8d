package main

import (
	"fmt"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

// parseOptions reads `runtime.options` of Pulumi.yaml, PulumiPolicy.yaml or PulumiPlugin.yaml. Relative paths are
// relative to the folder of that file.
func parseOptions(info *pulumirpc.ProgramInfo, isPlugin bool) (toolchain.PythonOptions, error) {
	options := toolchain.PythonOptions{Root: info.GetRootDirectory(), ProgramDir: info.GetProgramDirectory()}
	raw := info.GetOptions().AsMap()

	virtualenv, err := stringOption(raw, "virtualenv")
	if err != nil {
		return options, err
	}
	options.Virtualenv = virtualenv

	name, err := stringOption(raw, "toolchain")
	if err != nil {
		return options, err
	}
	switch name {
	case "", "auto":
		options.Toolchain = toolchain.Auto
	case "pip":
		options.Toolchain = toolchain.Pip
	case "poetry":
		options.Toolchain = toolchain.Poetry
	case "uv":
		options.Toolchain = toolchain.Uv
	default:
		return options, fmt.Errorf("runtime option toolchain is %q: allowed are auto, pip, poetry and uv", name)
	}

	checker, err := stringOption(raw, "typechecker")
	if err != nil {
		return options, err
	}
	switch checker {
	case "":
		options.Typechecker = toolchain.TypeCheckerNone
	case "mypy":
		options.Typechecker = toolchain.TypeCheckerMypy
	case "pyright":
		options.Typechecker = toolchain.TypeCheckerPyright
	default:
		return options, fmt.Errorf("runtime option typechecker is %q: allowed are mypy and pyright", checker)
	}

	// A plugin never runs in the ambient Python; programs and policy packs may, for old projects' sake.
	usesPip := options.Toolchain == toolchain.Pip || options.Toolchain == toolchain.Auto
	if isPlugin && usesPip && options.Virtualenv == "" {
		options.Virtualenv = "venv"
	}
	return options, nil
}

func stringOption(raw map[string]any, key string) (string, error) {
	value, present := raw[key]
	if !present || value == nil {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("runtime option %s is %v: it must be a string", key, value)
	}
	return text, nil
}

// resolve returns the options and the package manager that they select.
func resolve(info *pulumirpc.ProgramInfo, isPlugin bool) (toolchain.PythonOptions, toolchain.Toolchain, error) {
	options, err := parseOptions(info, isPlugin)
	if err != nil {
		return options, nil, err
	}
	manager, err := toolchain.ResolveToolchain(options)
	return options, manager, err
}
