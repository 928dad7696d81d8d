"""The pack as the engine speaks to it: the analyzer's protocol, without the SDK in between.

The SDK hands each policy its own copy of every resource, and importing it takes longer than many a preview. Here a
resource is read once for all rules, and the stack is judged on what was seen before. ``policies.adapter`` gives
the same rules as policies of the SDK, for a pack of one's own.
"""
