"""Creates the stack of a synthesized template in moto's CloudFormation.

    python deploy_in_moto.py ASSEMBLY TEMPLATE ACCOUNT REGION NODE

moto creates every resource that it knows. The functions of the package's own bundle, in Node.js, answer the custom resources of
the package; types that moto lacks are stubbed by name, below. What is imported by its id or ARN is created before, as whoever
uses the template has it already. Ends with 1, and says why, unless everything was created.
"""

import io
import itertools
import json
import logging
import os
import re
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ASSEMBLY, TEMPLATE, ACCOUNT, REGION, NODE = sys.argv[1:6]
os.environ.update(
    AWS_ACCESS_KEY_ID="deploy", AWS_SECRET_ACCESS_KEY="deploy", AWS_DEFAULT_REGION=REGION, MOTO_ALLOW_NONEXISTENT_REGION="true"
)

# The account of whoever calls: before the modules that copy it are loaded.
import moto.core.models

moto.core.models.DEFAULT_ACCOUNT_ID = ACCOUNT
moto.core.DEFAULT_ACCOUNT_ID = ACCOUNT

import boto3
from moto.acm.models import CertBundle, acm_backends
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.cloudformation.models import cloudformation_backends
from moto.ec2.models import ec2_backends
from moto.ecs.models import Service
from moto.elbv2.models import elbv2_backends
from moto.server import ThreadedMotoServer

ec2 = ec2_backends[ACCOUNT][REGION]
elbv2 = elbv2_backends[ACCOUNT][REGION]

# Types that moto's CloudFormation lacks. A type that is neither here nor in moto fails the check.
STUBBED = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::CodeBuild::Project",
    "AWS::CodePipeline::Pipeline",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::ElastiCache::ServerlessCache",
    "AWS::ElastiCache::SubnetGroup",
    "AWS::ElastiCache::User",
    "AWS::ElastiCache::UserGroup",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
    "AWS::ServiceDiscovery::PrivateDnsNamespace",
    "AWS::ServiceDiscovery::Service",
    # Custom resources of aws-cdk-lib, whose functions need modules that only Lambda has.
    "Custom::VpcRestrictDefaultSG",
    # Waits for proxies that answer, and moto starts none.
    "Custom::DrainshiftProof",
}


class Stub:
    """Is there, by its logical id; its attributes are names."""

    def __init__(self, logical_id, resource_type):
        self.logical_id = logical_id
        self.resource_type = resource_type

    @property
    def physical_resource_id(self):
        return self.arn() if self.resource_type.endswith(":Secret") else self.logical_id

    def arn(self):
        service = self.resource_type.split("::")[1].lower()
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{self.logical_id}"

    @staticmethod
    def cloudformation_type():
        return "?"

    @classmethod
    def has_cfn_attr(cls, attr):
        return True

    def get_cfn_attribute(self, attribute):
        return self.arn() if attribute.endswith("Arn") else f"{self.logical_id}-{attribute}"

    def is_created(self):
        return True

    @classmethod
    def create_from_cloudformation_json(cls, name, json_, account, region, **kwargs):
        return cls(kwargs["LogicalId"], kwargs["ResourceType"])


class Egress(Stub):
    """moto's EC2 has rules for the way out, its CloudFormation does not."""

    @classmethod
    def create_from_cloudformation_json(cls, name, json_, account, region, **kwargs):
        rule = json_["Properties"]
        to = rule.get("DestinationSecurityGroupId")
        ec2.authorize_security_group_egress(
            group_name_or_id=rule["GroupId"],
            ip_protocol=rule["IpProtocol"],
            from_port=rule.get("FromPort"),
            to_port=rule.get("ToPort"),
            ip_ranges=[{"CidrIp": rule["CidrIp"]}] if "CidrIp" in rule else [],
            source_groups=[{"GroupId": to}] if to else [],
        )
        return cls(kwargs["LogicalId"], kwargs["ResourceType"])


class Certificate(Stub):
    """moto's ACM issues certificates, its CloudFormation does not."""

    @classmethod
    def create_from_cloudformation_json(cls, name, json_, account, region, **kwargs):
        made = cls(kwargs["LogicalId"], kwargs["ResourceType"])
        made.issued = acm_backends[ACCOUNT][REGION].request_certificate(
            domain_name=json_["Properties"]["DomainName"],
            idempotency_token=None,
            subject_alt_names=[],
            tags=[],
        )
        return made

    @property
    def physical_resource_id(self):
        return self.issued


class Answers:
    """Where functions answer to, as CloudFormation's presigned URLs are."""

    def __init__(self):
        self.by_path = {}
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                answers.by_path[self.path] = json.loads(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"


# Types whose service moto has, and whose CloudFormation it lacks.
WIRED = {"AWS::EC2::SecurityGroupEgress": Egress, "AWS::CertificateManager::Certificate": Certificate}

answers = Answers()
endpoint = None
responded = []


class Custom(Stub):
    """Made by the function behind its service token: the real one, out of the assembly."""

    @classmethod
    def create_from_cloudformation_json(cls, name, json_, account, region, **kwargs):
        logical_id, resource_type = kwargs["LogicalId"], kwargs["ResourceType"]
        if resource_type in STUBBED:
            return Stub(logical_id, resource_type)
        properties = json_["Properties"]
        function = function_of(properties["ServiceToken"])
        path = f"/{logical_id}"
        event = {
            "RequestType": "Create",
            "ServiceToken": properties["ServiceToken"],
            "ResponseURL": answers.url(path),
            "StackId": kwargs["StackId"],
            "RequestId": logical_id,
            "LogicalResourceId": logical_id,
            "ResourceType": resource_type,
            # CloudFormation hands numbers and truth values over as text.
            "ResourceProperties": as_text(properties),
        }
        called = subprocess.run(
            [NODE, str(Path(__file__).parent / "call-function.mjs"), *function["code"]],
            input=json.dumps(event),
            env={
                "PATH": os.environ["PATH"],
                "AWS_ACCESS_KEY_ID": "deploy",
                "AWS_SECRET_ACCESS_KEY": "deploy",
                "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL": endpoint,
                **function["environment"],
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        answer = answers.by_path.pop(path, None)
        if answer is None:
            raise RuntimeError(f"{logical_id}: no answer of its function: {called.stdout}{called.stderr}")
        if answer["Status"] != "SUCCESS":
            raise RuntimeError(f"{logical_id}: {answer['Reason']}")
        responded.append(f"{resource_type}: {answer['Reason']}")
        made = cls(logical_id, resource_type)
        made.answer = answer
        return made

    @property
    def physical_resource_id(self):
        return self.answer["PhysicalResourceId"]

    def get_cfn_attribute(self, attribute):
        return self.answer["Data"][attribute]


def as_text(value):
    if isinstance(value, dict):
        return {key: as_text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_text(each) for each in value]
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


functions = {}


def function_of(arn):
    return functions[arn.rsplit(":", 1)[1]]


def note_functions():
    """What a function runs and is told, by its name: as it was made."""
    from moto.awslambda.models import LambdaFunction

    create = LambdaFunction.create_from_cloudformation_json.__func__

    def created(cls, name, json_, *args, **kwargs):
        made = create(cls, name, json_, *args, **kwargs)
        properties = json_["Properties"]
        asset, _, handler = (properties["Code"].get("S3Key", "").removesuffix(".zip"), *properties["Handler"].partition(".")[1:])
        functions[made.function_name] = {
            "code": [str(asset_path(asset) / "index.js"), handler],
            "environment": properties.get("Environment", {}).get("Variables", {}),
        }
        return made

    LambdaFunction.create_from_cloudformation_json = classmethod(created)


def register_tasks():
    """The tasks of a service register where the service says, as ECS does it: moto starts none."""
    create = Service.create_from_cloudformation_json.__func__
    addresses = (f"10.0.0.{last}" for last in itertools.count(10))

    def created(cls, name, json_, *args, **kwargs):
        made = create(cls, name, json_, *args, **kwargs)
        for balancer in json_["Properties"].get("LoadBalancers", []):
            target = {"Id": next(addresses), "Port": balancer["ContainerPort"]}
            elbv2.register_targets(balancer["TargetGroupArn"], [target])
        return made

    Service.create_from_cloudformation_json = classmethod(created)


def read_load_balancers_whole():
    """moto's CloudFormation leaves out the type of a load balancer, and the subnets of one that names its addresses."""
    from moto.elbv2.models import FakeLoadBalancer

    def created(cls, name, json_, account, region, **kwargs):
        properties = json_["Properties"]
        return elbv2.create_load_balancer(
            name,
            properties.get("SecurityGroups"),
            properties.get("Subnets", []),
            properties.get("SubnetMappings"),
            scheme=properties.get("Scheme", "internet-facing"),
            loadbalancer_type=properties.get("Type", "application"),
        )

    FakeLoadBalancer.create_from_cloudformation_json = classmethod(created)


def know_types():
    known = parsing.resource_class_from_type

    def class_of(resource_type):
        if resource_type in WIRED:
            return WIRED[resource_type]
        if resource_type.startswith("Custom::"):
            return Custom
        if resource_type in STUBBED:
            return Stub
        found = known(resource_type)
        if found is None and resource_type not in parsing.NULL_MODELS:
            raise RuntimeError(f"'{resource_type}' must be a type that moto knows or one that STUBBED names")
        return with_all_attributes(found)

    parsing.resource_class_from_type = class_of


def with_all_attributes(model):
    """An attribute that moto does not know of its own type is a name."""
    if model is None or hasattr(model, "known_attribute"):
        return model
    model.known_attribute = getattr(model, "get_cfn_attribute", lambda self, name: None)

    def attribute(self, name):
        try:
            value = self.known_attribute(name)
        except (UnformattedGetAttTemplateException, NotImplementedError):
            value = None
        return f"{self.logical_resource_id}-{name}" if value is None else value

    model.get_cfn_attribute = attribute
    return model


assets = {}


def asset_path(name):
    return assets[name]


def publish_assets(client):
    """Every file asset of the assembly, as `cdk deploy` uploads them."""
    for manifest in Path(ASSEMBLY).glob("*.assets.json"):
        for name, file in json.loads(manifest.read_text())["files"].items():
            path = Path(ASSEMBLY) / file["source"]["path"]
            assets[name] = path
            for destination in file["destinations"].values():
                bucket = destination["bucketName"].replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)
                s3 = client("s3")
                if bucket not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
                    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
                s3.put_object(Bucket=bucket, Key=destination["objectKey"], Body=bytes_of(path))


def bytes_of(path):
    if path.is_file():
        return path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(path))
    return packed.getvalue()


def create_what_is_imported(text):
    """By the ids and ARNs that the template has in it: a network and what is in it, load balancers, listeners, certificates."""
    zones = itertools.cycle("ab")
    vpc_ids = sorted(set(re.findall(r"\bvpc-[0-9a-f]{8,}\b", text))) or ["vpc-00000000000000000"]
    for vpc_id in vpc_ids:
        vpc = ec2.create_vpc("10.0.0.0/16")
        made = vpc.id
        ec2.groups[vpc_id] = ec2.groups.pop(made)
        ec2.vpcs[vpc_id] = ec2.vpcs.pop(made)
        vpc.id = vpc_id
        for part in [*ec2.groups[vpc_id].values(), *ec2.network_acls.values(), *ec2.route_tables.values()]:
            part.vpc_id = vpc_id if part.vpc_id == made else part.vpc_id
    for index, subnet_id in enumerate(sorted(set(re.findall(r"\bsubnet-[0-9a-f]{8,}\b", text)))):
        zone = f"{REGION}{next(zones)}"
        subnet = ec2.create_subnet(vpc_ids[0], f"10.0.{index}.0/24", availability_zone=zone)
        del ec2.subnets[zone][subnet.id]
        subnet.id = subnet_id
        ec2.subnets[zone][subnet_id] = subnet
    for group_id in sorted(set(re.findall(r"\bsg-[0-9a-f]{8,}\b", text))):
        group = ec2.create_security_group(group_id, "Imported", vpc_ids[0])
        del ec2.groups[vpc_ids[0]][group.id]
        group.id = group.group_id = group_id
        ec2.groups[vpc_ids[0]][group_id] = group
    for arn in sorted(set(re.findall(r"arn:aws:acm:[\w-]+:\d+:certificate/[\w-]+", text))):
        certificate = CertBundle.generate_cert("shop.example.com", ACCOUNT, REGION)
        certificate.arn = arn
        acm_backends[ACCOUNT][REGION]._certificates[arn] = certificate
    for arn in sorted(set(re.findall(r"arn:aws:elasticloadbalancing:[\w-]+:\d+:loadbalancer/app/[\w-]+/\w+", text))):
        import_load_balancer(arn, text)


def import_load_balancer(arn, text):
    subnets = [subnet.id for zone in ec2.subnets.values() for subnet in zone.values()][:2]
    name = arn.split("/")[-2]
    balancer = elbv2.create_load_balancer(name, [], subnets, scheme="internal", loadbalancer_type="application")
    del elbv2.load_balancers[balancer.arn]
    balancer.arn = arn
    elbv2.load_balancers[arn] = balancer
    listener_prefix = arn.replace(":loadbalancer/", ":listener/")
    for listener_arn in sorted(set(re.findall(re.escape(listener_prefix) + r"/\w+", text))):
        fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}
        listener = elbv2.create_listener(arn, "HTTPS", "443", None, None, [fixed])
        balancer.listeners.pop(listener.arn)
        listener.arn = listener_arn
        balancer.listeners[listener_arn] = listener


def main():
    global endpoint
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://127.0.0.1:%d" % server.get_host_and_port()[1]

    def client(service):
        return boto3.client(service, endpoint_url=endpoint, region_name=REGION)

    text = Path(TEMPLATE).read_text()
    template = json.loads(text)
    note_functions()
    read_load_balancers_whole()
    register_tasks()
    know_types()
    create_what_is_imported(text)
    publish_assets(client)
    for parameter in template.get("Parameters", {}).values():
        if parameter["Type"].startswith("AWS::SSM::Parameter::"):
            client("ssm").put_parameter(Name=parameter["Default"], Value="99", Type="String", Overwrite=True)

    # Not over the wire, where moto keeps what went wrong to itself.
    cloudformation = cloudformation_backends[ACCOUNT][REGION]
    stack = cloudformation.create_stack(name="Checked", template=text, parameters={}, tags={})
    if stack.status != "CREATE_COMPLETE":
        raise RuntimeError(f"the stack must be CREATE_COMPLETE, got {stack.status}")
    types = [resource["Type"] for resource in template["Resources"].values()]
    stubbed = [each for each in types if each in STUBBED]
    print(json.dumps({"created": len(types), "stubbed": sorted(set(stubbed)), "responded": responded}))


try:
    main()
except Exception as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    os._exit(1)
os._exit(0)
