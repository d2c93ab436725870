"""A transformer by KServe's SDK that hands requests and answers through.

The SDK's client loses the model_version of the predictor's answer; what the pod is told by REVISION takes its place.
"""

import argparse
import os

import kserve
from kserve import Model, ModelServer

arguments, _ = argparse.ArgumentParser(parents=[kserve.model_server.parser]).parse_known_args()


class Passing(Model):
    def __init__(self, name):
        super().__init__(name)
        self.ready = True

    async def preprocess(self, payload, headers=None):
        return payload

    async def postprocess(self, result, headers=None, response_headers=None):
        result.model_version = os.environ["REVISION"]
        return result


ModelServer().start([Passing(arguments.model_name)])
