package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/pulumi/pulumi/sdk/v3/python/toolchain"
)

const pluginFile = "pulumi-plugin.json"

// GetRequiredPackages tells which resource plugins the installed SDKs of the program belong to.
//
// It reads the virtual environment's files itself: asking Python takes a second, and the engine asks before each
// preview, update and refresh.
func (h *host) GetRequiredPackages(
	ctx context.Context, req *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	_, manager, err := resolve(req.GetInfo(), false)
	if err != nil {
		return nil, err
	}
	programDirectory := req.GetInfo().GetProgramDirectory()
	if err := manager.EnsureVenv(ctx, programDirectory, false, true, io.Discard, os.Stderr); err != nil {
		return nil, err
	}
	folders, err := packageFolders(ctx, manager)
	if err != nil {
		return nil, err
	}
	packages, err := requiredPackages(folders)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.GetRequiredPackagesResponse{Packages: packages}, nil
}

// packageFolders returns the site-packages folders of the program's environment and the folders that editable installs
// add to them.
func packageFolders(ctx context.Context, manager toolchain.Toolchain) ([]string, error) {
	virtualenv, err := manager.VirtualEnvPath(ctx)
	if err != nil {
		return nil, err
	}
	var folders []string
	if virtualenv == "" {
		folders, err = ambientFolders(ctx, manager)
	} else {
		folders, err = filepath.Glob(filepath.Join(virtualenv, "lib*", "python3*", "site-packages"))
	}
	if err != nil {
		return nil, err
	}
	for _, folder := range slices.Clone(folders) {
		folders = append(folders, editableFolders(folder)...)
	}
	return folders, nil
}

// ambientFolders asks Python itself, the only one to know where packages lie outside of a virtual environment.
func ambientFolders(ctx context.Context, manager toolchain.Toolchain) ([]string, error) {
	cmd, err := manager.Command(ctx, "-c", "import json, sys; print(json.dumps([p for p in sys.path if p]))")
	if err != nil {
		return nil, err
	}
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("could not ask %s for its path: %w", cmd.Path, err)
	}
	var folders []string
	if err := json.Unmarshal(output, &folders); err != nil {
		return nil, fmt.Errorf("could not read the path of %s: %w", cmd.Path, err)
	}
	return folders, nil
}

// editableFolders returns the folders that the .pth files of a site-packages folder name.
func editableFolders(sitePackages string) []string {
	files, err := filepath.Glob(filepath.Join(sitePackages, "*.pth"))
	if err != nil {
		return nil
	}
	var folders []string
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			line := strings.TrimSpace(lines.Text())
			if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "import ") {
				continue
			}
			if !filepath.IsAbs(line) {
				line = filepath.Join(sitePackages, line)
			}
			folders = append(folders, line)
		}
		_ = file.Close()
	}
	return folders
}

// requiredPackages turns each package's pulumi-plugin.json into the dependency that the engine loads a plugin for.
func requiredPackages(folders []string) ([]*pulumirpc.PackageDependency, error) {
	packages := []*pulumirpc.PackageDependency{}
	seen := map[string]bool{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*", pluginFile))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			dependency, err := readPluginFile(file)
			if err != nil {
				return nil, err
			}
			if dependency != nil && !seen[file] {
				seen[file] = true
				packages = append(packages, dependency)
			}
		}
	}
	return packages, nil
}

// readPluginFile returns nil for a package that has no plugin.
func readPluginFile(path string) (*pulumirpc.PackageDependency, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var description plugin.PulumiPluginJSON
	if err := json.Unmarshal(content, &description); err != nil {
		return nil, fmt.Errorf("%s is not valid: %w", path, err)
	}
	if !description.Resource {
		return nil, nil
	}
	module := filepath.Base(filepath.Dir(path))
	if description.Name == "" {
		description.Name = strings.ReplaceAll(strings.TrimPrefix(module, "pulumi_"), "_", "-")
	}
	if description.Version == "" {
		description.Version = installedVersion(filepath.Dir(filepath.Dir(path)), module)
	}
	if description.Version != "" {
		description.Version = "v" + strings.TrimPrefix(description.Version, "v")
	}
	return &pulumirpc.PackageDependency{
		Name: description.Name, Kind: "resource", Version: description.Version, Server: description.Server,
		Parameterization: parameterization(description.Parameterization),
		Extension:        parameterization(description.ExtensionParameterization),
	}, nil
}

// installedVersion reads the version out of the name of the package's metadata folder, "" where there is none.
func installedVersion(folder, module string) string {
	matches, err := filepath.Glob(filepath.Join(folder, module+"-*.dist-info"))
	if err != nil || len(matches) == 0 {
		return ""
	}
	name := strings.TrimSuffix(filepath.Base(matches[0]), ".dist-info")
	return strings.TrimPrefix(name, module+"-")
}

func parameterization(from *plugin.PulumiParameterizationJSON) *pulumirpc.PackageParameterization {
	if from == nil {
		return nil
	}
	return &pulumirpc.PackageParameterization{Name: from.Name, Version: from.Version, Value: from.Value}
}
