// Asks who selects and who lets through what: a selector with labels is asked of apimachinery, by which Kubernetes
// selects, and policies with traffic of cyclonus, with which plugins of networks are tested.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// An end of a connection: of a pod with labels in a namespace, or outside where it has no namespace.
type end struct {
	IP              string
	Namespace       string
	Labels          map[string]string
	NamespaceLabels map[string]string
}

type traffic struct {
	Source, Destination end
	Port                int
	Name                string
	Protocol            core.Protocol
}

type question struct {
	Selector *meta.LabelSelector
	Labels   []map[string]string
	Policies []*networking.NetworkPolicy
	Traffic  []traffic
}

// A direction, or a selector that is refused, has no verdict.
type answer struct {
	Selected []bool
	Refused  bool
	Ingress  []bool
	Egress   []bool
}

func peer(of end) *matcher.TrafficPeer {
	found := &matcher.TrafficPeer{IP: of.IP}
	if of.Namespace != "" {
		found.Internal = &matcher.InternalPeer{
			PodLabels: of.Labels, NamespaceLabels: of.NamespaceLabels, Namespace: of.Namespace,
		}
	}
	return found
}

func answered(asked question) answer {
	var found answer
	if asked.Selector != nil {
		selector, err := meta.LabelSelectorAsSelector(asked.Selector)
		if err != nil {
			return answer{Refused: true}
		}
		for _, each := range asked.Labels {
			found.Selected = append(found.Selected, selector.Matches(labels.Set(each)))
		}
		return found
	}
	policy := matcher.BuildNetworkPolicies(false, asked.Policies)
	for _, each := range asked.Traffic {
		result := policy.IsTrafficAllowed(&matcher.Traffic{
			Source: peer(each.Source), Destination: peer(each.Destination),
			ResolvedPort: each.Port, ResolvedPortName: each.Name, Protocol: each.Protocol,
		})
		found.Ingress = append(found.Ingress, result.Ingress.IsAllowed())
		found.Egress = append(found.Egress, result.Egress.IsAllowed())
	}
	return found
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var asked question
		if err := in.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		if err := out.Encode(answered(asked)); err != nil {
			log.Fatal(err)
		}
	}
}
