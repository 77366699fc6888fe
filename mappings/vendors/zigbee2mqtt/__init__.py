"""Messages of Zigbee2MQTT.

https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
"""
