from consent.topology import NO_DEVICES, Topology


def test_a_device_alone_is_its_own_family():
    assert NO_DEVICES.family("Device/ring") == {"Device/ring"}


def test_what_belongs_to_a_device_belongs_to_its_family_and_not_the_reverse():
    topology = Topology(
        parents={
            "DeviceMetric/m": ("Device/ring",),
            "Device/ring": ("Device/hub", "Device/else"),
        }
    )

    assert topology.family("Device/hub") == {
        "Device/hub",
        "Device/ring",
        "DeviceMetric/m",
    }
    assert topology.family("DeviceMetric/m") == {"DeviceMetric/m"}


def test_a_circle_ends():
    topology = Topology(parents={"Device/a": ("Device/b",), "Device/b": ("Device/a",)})

    assert topology.family("Device/a") == {"Device/a", "Device/b"}


def test_the_same_unit_registered_again_is_the_same_device():
    topology = Topology(
        parents={"DeviceMetric/m": ("Device/new",)},
        units={"Device/old": b"key", "Device/new": b"key", "Device/other": b"else"},
    )

    assert topology.family("Device/old") == {
        "Device/old",
        "Device/new",
        "DeviceMetric/m",
    }
