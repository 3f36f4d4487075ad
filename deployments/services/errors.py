"""What a service may answer instead of doing what was asked."""

from deployments.core.errors import FuelwebError


class NotFound(FuelwebError):
    """There is nothing of this name."""


class Conflict(FuelwebError):
    """Something else is under way that does not go together with this."""


class Forbidden(FuelwebError):
    """This may not be changed now, or not by this request."""
