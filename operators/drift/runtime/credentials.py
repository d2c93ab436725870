"""Who we are to the API server: a pod's rotating token, or a kubeconfig with all the ways it knows to log in."""

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config

REFRESH_S = 60.0


class Credentials:
    """A configuration of kubernetes_asyncio whose token is read again each minute, and at once after a 401.

    Its own in-cluster refresh goes by the wall clock; a token must not outlive a jump of it. The kubelet writes a
    new token at 80 % of the old one's life, so a minute is soon enough (client-go caches for a minute too).
    """

    def __init__(
        self, configuration: Configuration, reload: Callable[[Configuration], Awaitable[None]]
    ) -> None:
        self.configuration = configuration
        self._reload = reload
        self._read_at = time.monotonic()

    @classmethod
    async def load(cls, kubeconfig: str | None = None, context: str | None = None) -> "Credentials":
        """Of the file; without one, of the pod that we run in; outside a pod, of $KUBECONFIG or ~/.kube/config.

        Raises:
            ConfigException: there is neither, or it says nothing usable.
        """
        configuration = Configuration()
        if kubeconfig is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            await _read_pod(configuration)
            return cls(configuration, _read_pod)
        loader = await load_kube_config(kubeconfig, context, configuration, persist_config=False)
        return cls(configuration, loader.load_and_set)

    async def authorization(self, *, rejected: bool = False) -> str | None:
        """The value of the Authorization header; None for those who show a certificate.

        Args:
            rejected: the last one was answered 401.
        """
        if "BearerToken" in self.configuration.api_key and (
            rejected or time.monotonic() - self._read_at > REFRESH_S
        ):
            self._read_at = time.monotonic()
            with suppress(ConfigException, OSError):  # in the middle of a rotation: the old one may still do
                await self._reload(self.configuration)
        token: str | None = self.configuration.api_key.get("BearerToken")
        return token


async def _read_pod(configuration: Configuration) -> None:
    load_incluster_config(configuration, try_refresh_token=False)  # type: ignore[no-untyped-call]  # theirs
