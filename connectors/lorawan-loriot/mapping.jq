# LORIOT: "rx" at once and "gw" with the list of gateways a little later are the same frame: the first is taken, unless the
# block says cmd=gw. bat is of the device's last status: 1 to 254 is a share, 0 is mains, 255 is unknown. Helium's
# console and Netmore are near enough to be read too.
include "oudp";
include "measure";
include "lorawan";

def cmd: $settings["cmd"] // "rx";
def battery: [.bat | number | select(. > 0 and . < 255) | {battery: (. / 254 | rounded)}];
def loriot: . as $m
  | if .cmd != cmd and (.cmd == "gw" or .cmd == "rx") then {ignored: "the same frame in the other form"}
    elif .cmd != "rx" and .cmd != "gw" then {ignored: ("cmd " + (.cmd | tostring))}
    elif .data == null and (.encdata | type) == "string" and .encdata != ""
      then {refused: "the frame is encrypted: give LORIOT the application session key of the device"}
    else
      (if (.decoded | type) == "object" then (.decoded | if (.data | type) == "object" then .data else . end)
        else null end) as $decoded
      | uplink({device: (.EUI | hex_lower), times: [(.ts | number | . / 1000 | floor | todate)], port: .port,
          decoded: $decoded, values: (if $decoded then ($decoded | values_of) + battery else null end),
          base: (strongest([.rssi, (.gws[]?.rssi)]) + member("location"; if .lon then point(.lon; .lat) else null end))};
          .data | frame_as("hex"); .EUI | hex_lower)
    end;
def helium: uplink({device: (.dev_eui | hex_lower), times: [(.reported_at | number | . / 1000 | floor | todate)],
  port: .port, decoded: (.decoded.payload // null), base: strongest([.hotspots[]?.rssi])};
  .payload | frame_as("base64"); .metadata.labels[]?.name, .name, (.dev_eui | hex_lower));

# Netmore: an array of one, all numbers texts.
def netmore: uplink({device: (.devEui | hex_lower), times: [.timestamp], port: ([.fPort | number] | .[0]),
  decoded: (if (.decoded | type) == "object" then .decoded else null end), base: strongest([.rssi])};
  .payload | frame_as("hex"); .sensorType, (.devEui | hex_lower));

def one: if type != "object" then {refused: "no message of LORIOT"}
  elif has("cmd") then loriot
  elif has("hotspots") and has("dev_eui") then helium
  elif has("devEui") and has("timestamp") and has("sensorType") then netmore
  else {refused: "no message of LORIOT"} end;
if type == "array" then [.[] | each(one)] else each(one) end
