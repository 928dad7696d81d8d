package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	executorName = "pulumi-language-python-exec"

	// How often the host asks whether the engine is still there, so that a killed engine leaves no host behind.
	engineHealthInterval = 5 * time.Minute

	// How long a program may take to end after an interrupt before it is killed.
	interruptGrace = 5 * time.Second
)

// host implements the language runtime service.
type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer

	executor      string // path of pulumi-language-python-exec
	engineAddress string
	shutdown      context.CancelFunc // ends the whole process
	running       context.Context    // what the Cancel call ends
	cancelRunning context.CancelFunc
}

func newHost(executor, engineAddress string, shutdown context.CancelFunc) *host {
	running, cancel := context.WithCancel(context.Background())
	return &host{
		executor: executor, engineAddress: engineAddress, shutdown: shutdown, running: running, cancelRunning: cancel,
	}
}

// findExecutor returns the script that runs a Python program, which is installed beside this executable. Both may be
// reached through links.
func findExecutor() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("could not determine the path of the language host: %w", err)
	}
	candidates := []string{self}
	if resolved, err := filepath.EvalSymlinks(self); err == nil {
		candidates = append(candidates, resolved)
	}
	for _, candidate := range candidates {
		script := filepath.Join(filepath.Dir(candidate), executorName)
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
	}
	return "", fmt.Errorf("%s is missing: it must lie beside %s", executorName, self)
}

// followEngine ends this process when the engine stops answering.
func (h *host) followEngine(ctx context.Context) error {
	if err := rpcutil.Healthcheck(ctx, h.engineAddress, engineHealthInterval, h.shutdown); err != nil {
		return fmt.Errorf("could not watch the engine at %s: %w", h.engineAddress, err)
	}
	return nil
}

// Handshake takes the engine's address where it was not an argument of the process.
func (h *host) Handshake(
	_ context.Context, req *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	h.engineAddress = req.GetEngineAddress()
	// The call's own context ends with the call, the watch must not.
	if err := h.followEngine(h.running); err != nil {
		return nil, err
	}
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

// GetPluginInfo tells the version of the SDK that this host is built from.
func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

// Cancel interrupts the running program.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancelRunning()
	return &emptypb.Empty{}, nil
}
