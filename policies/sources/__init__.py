"""Where resources come from: an exported state, the event log of a preview, or rendered manifests."""
