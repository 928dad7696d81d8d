"""Tells people: mail and chat, side by side, so that one that fails never silences the other."""

from scripts.notify.delivery import Delivery, Message, plain, send

__all__ = ["Delivery", "Message", "plain", "send"]
