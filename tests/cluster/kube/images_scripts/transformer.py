"""A transformer by KServe's SDK that hands requests and answers through as they are."""

import argparse

import kserve
from kserve import Model, ModelServer

arguments, _ = argparse.ArgumentParser(parents=[kserve.model_server.parser]).parse_known_args()


class Passing(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    async def preprocess(self, payload, headers=None):
        return payload


ModelServer().start([Passing(arguments.model_name)])
