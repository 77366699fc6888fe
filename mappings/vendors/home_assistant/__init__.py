"""Messages of Home Assistant's MQTT Statestream and of MQTT discovery.

https://www.home-assistant.io/integrations/mqtt_statestream/
https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""
