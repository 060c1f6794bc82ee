"""Every variable that is set is one that the program reads, and every one that it reads is set or left for a reason."""

import re

import pytest
from cluster import Pods, environment, pods, pods_named
from conftest import ROOT, compose, manifests, settings

# What is right as it is, wherever it runs.
OF_ALL = {
    "RUST_LOG", "ADDRESSES_FILE", "NATS_NKEY", "NATS_NKEY_FILE", "NATS_CA_FILE",
    # Set by components/tracing, which test_tracing.py looks at; the rest is right as it is.
    "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
}
# How tokens are signed, and whose are good besides: as simplejwt has it, unless Django has it otherwise.
TOKENS = {
    "SIGNING_KEY", "SIGNING_ALGORITHM", "SIGNING_KID", "ALLOW_SHORT_KEY", "VERIFYING_KEYS", "JWKS_FILE", "JWKS_URL",
    "JWKS_REFRESH_SECONDS", "JWKS_CA_FILE", "TOKEN_ISSUER", "TOKEN_AUDIENCE", "TOKEN_LEEWAY_SECONDS", "TOKEN_USER_CLAIM",
}
LEFT = {
    "edge": TOKENS | {
        "EDGE_DIALECT", "EDGE_DRAIN_DELAY_SECONDS", "EDGE_MEDIA_ROOT", "EDGE_ATTACHMENT_MAX_BYTES",
        # Bounds with measured defaults.
        "EDGE_WINDOW_FRAMES", "EDGE_WINDOWS_BYTES", "EDGE_ROOM_LINGER_SECONDS", "EDGE_ADMISSION_SECONDS", "EDGE_CROWDED_PERCENT",
        "EDGE_SLOW_SECONDS", "EDGE_BATCH_BYTES", "EDGE_BATCHES_BYTES", "EDGE_PAGES_BYTES", "EDGE_UNSENT_BYTES",
        "EDGE_FRAMES_PER_SECOND", "EDGE_FRAMES_BURST", "EDGE_USER_REQUESTS_PER_SECOND", "EDGE_USER_REQUESTS_BURST",
        "EDGE_NAME_LOGINS_PER_MINUTE", "EDGE_ADDRESS_LOGINS_PER_MINUTE", "PEER_RESOLVE_SECONDS",
    },
    "authz": TOKENS | {"AUTHZ_ACCESS_SECONDS", "AUTHZ_REFRESH_SECONDS", "GRPC_CONNECTION_AGE_SECONDS"},
    "persistence": {"PERSISTENCE_BATCH_RECORDS", "GRPC_CONNECTION_AGE_SECONDS"},
    # Django's own settings, where it has others than the defaults of its channel layer.
    "redis-adapter": {
        "CHANNEL_LAYER", "CHANNEL_PREFIX", "CHANNEL_CAPACITY", "CHANNEL_EXPIRY_SECONDS", "CHANNEL_GROUP_EXPIRY_SECONDS",
        "CHANNEL_SERIALIZER", "CHANNEL_RANDOM_PREFIX_BYTES", "CHANNEL_KEYS", "CHANNEL_KEYS_FILE", "REDIS_USERNAME",
        "PEER_RESOLVE_SECONDS", "REDIS_PASSWORD", "REDIS_PASSWORD_FILE", "REDIS_CA_FILE", "REDIS_CERTIFICATE_FILE", "REDIS_CERTIFICATE_KEY_FILE",
    },
}
SERVICES = sorted(LEFT)


@pytest.mark.parametrize("name", SERVICES)
def test_kubernetes_sets_what_the_program_reads(name: str) -> None:
    resources = manifests("prod")
    variables = set(environment(resources, pods_named(resources, name)))
    known = settings(f"natter-{name}")
    assert variables <= known, f"{name} does not read {variables - known}"
    left = LEFT[name] | OF_ALL
    assert known - variables <= left, f"nobody decided about {known - variables - left}"
    assert LEFT[name] <= known, f"{name} has no {LEFT[name] - known}"


def test_commands_read_what_is_set() -> None:
    for overlay in ("dev", "prod"):
        resources = manifests(overlay)
        for pod in pods(resources):
            if pod.container["image"].partition(":")[0].endswith(("natter/natter", "natter")):
                command = pod.container["args"][0]
                assert set(environment(resources, pod)) <= settings("natter", command), pod.name


@pytest.mark.parametrize("name", SERVICES)
def test_compose_sets_what_the_program_reads(name: str) -> None:
    service = compose()["services"][name]
    assert set(service["environment"]) <= settings(f"natter-{name}")


@pytest.mark.parametrize("name", ["provision", "migrate"])
def test_compose_jobs_set_what_the_commands_read(name: str) -> None:
    service = compose()["services"][name]
    assert set(service["environment"]) <= settings("natter", service["command"][0])


def test_files_that_settings_name_are_mounted() -> None:
    resources = manifests("prod")
    for pod in pods(resources):
        folders = {mount["mountPath"]: mount["name"] for mount in pod.container.get("volumeMounts", [])}
        for name, value in environment(resources, pod).items():
            if name.endswith("_FILE"):
                folder, _, file = value.rpartition("/")
                assert file in files_of(pod, folders[folder]), f"{pod.name}: {name} is not in {folder}"


def files_of(pod: Pods, volume_name: str) -> set[str]:
    (volume,) = (volume for volume in pod.spec["volumes"] if volume["name"] == volume_name)
    sources = [source["secret"] for source in volume.get("projected", {}).get("sources", [])] or [volume["secret"]]
    keys = {"nats-tls": {"ca.crt"}, "signing-key": {"signing-key"}}
    files = set()
    for source in sources:
        secret = source.get("name") or source["secretName"]
        files |= {item["path"] for item in source.get("items", [])} or keys.get(secret, {"seed"})
    return files


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_those_that_the_program_is_told(name: str) -> None:
    resources = manifests("prod")
    pod = pods_named(resources, name)
    told = {int(value.rpartition(":")[2]) for key, value in environment(resources, pod).items() if key.endswith("_LISTEN")}
    assert told == set(pod.ports().values())


def test_the_images_that_are_named_are_built() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    targets = set(re.findall(r"^FROM runtime AS (\S+)", dockerfile, re.MULTILINE))
    assert targets == {"natter", *SERVICES}
    built = {service["build"]["target"] for service in compose()["services"].values() if "build" in service}
    assert built == targets
    for overlay in ("dev", "prod"):
        images = [pod.container["image"] for pod in pods(manifests(overlay))]
        ours = {image for image in images if "natter" in image}
        for image in ours:
            name = image.rpartition(":")[0].rpartition("/")[2].removeprefix("natter-")
            assert name in targets, image
        assert all(re.search(r":[a-z0-9.-]+$", image) and not image.endswith(":latest") for image in images), images
    for target in targets:
        program = "natter" if target == "natter" else f"natter-{target}"
        assert f"COPY --from=build /out/{program} /{program}\n" in dockerfile
        assert f'ENTRYPOINT ["/{program}"]' in dockerfile
